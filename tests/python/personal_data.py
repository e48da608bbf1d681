"""Made-up personal data of many countries, from the generators that others test with; JSON in, JSON out."""

import json
import sys

import phonenumbers
from faker import Faker
from phonenumbers import PhoneNumberFormat

COUNTRIES = ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_PT", "tr_TR", "no_NO", "de_CH"]


def made(kind, count):
    countries = []
    for place, country in enumerate(COUNTRIES):
        fake = Faker(country)
        fake.seed_instance(place)
        countries.append(fake)
    american = countries[0]
    match kind:
        case "email":
            return [fake.email() for fake in countries for _ in range(count)]
        case "iban":
            # The generator knows no account numbers of the US.
            return [fake.iban() for fake in countries[1:] for _ in range(count)]
        case "card":
            return [american.credit_card_number() for _ in range(count * 10)]
        case "ssn":
            return [american.ssn() for _ in range(count * 10)]
        case "ip":
            return [american.ipv4_public() for _ in range(count * 5)] + [american.ipv6() for _ in range(count * 5)]
        case "phone":
            numbers = [phonenumbers.example_number(region) for region in phonenumbers.SUPPORTED_REGIONS]
            forms = [PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164]
            return [phonenumbers.format_number(number, form) for number in numbers for form in forms if number]


json.dump([made(kind, count) for kind, count in json.load(sys.stdin)], sys.stdout)
