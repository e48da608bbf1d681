"""Whether an OpenAPI document is one."""

import json
import sys

from openapi_spec_validator import validate

validate(json.loads(sys.argv[1]))
