"""Prices calls with genai-prices: a JSON object a line in, a JSON object a line out.

In: provider (or null), model, at, context (service tier, batch), usage. Out: the exact amounts and the model, or error.
"""

import decimal
import json
import sys
from datetime import datetime

from genai_prices import Usage, calc_price

# More digits than any amount has, so that nothing is rounded.
decimal.getcontext().prec = 60


def plain(amount: decimal.Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


for line in sys.stdin:
    call = json.loads(line)
    try:
        price = calc_price(
            Usage(**call["usage"]),
            model_ref=call["model"],
            provider_id=call["provider"],
            genai_request_timestamp=datetime.fromisoformat(call["at"]),
            price_context=call["context"] or None,
        )
    except (LookupError, ValueError) as error:
        answer = {"error": str(error)}
    else:
        answer = {
            "input": plain(price.input_price),
            "output": plain(price.output_price),
            "total": plain(price.total_price),
            "model": price.model.id,
        }
    print(json.dumps(answer))
