"""Holds what we send to Stripe, and what we read of it, against Stripe's own description of its API.

    pip install pyyaml jsonschema
    python benchmarks/stripe_contract.py --data /path/to/data

PATH holds `stripe-openapi/` (https://github.com/stripe/openapi): `spec3*.yaml.gz` describes requests,
`fixtures3.json` shows what comes back. A parameter that the description does not know is an error here,
though Stripe's schemas are lenient about some. The exit status says whether all of it fits.
"""

import argparse
import gzip
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eyecare.settings")
os.environ.setdefault("DEMO", "1")

import django

django.setup()

from unittest import mock

import jsonschema
import yaml

from payments.backends import stripe
from payments.models import Checkout
from practice.models import Practice

READ = {
    "checkout.session": ["id", "client_reference_id", "payment_status", "payment_intent", "amount_total"],
    "charge": ["id", "payment_intent", "amount_refunded", "metadata"],
    "event": ["id", "type", "data"],
}  # fmt: skip
"""The fields that payments/events.py and the webhook look at."""


def main() -> int:
    folder = _folder()
    problems = [*_wrong_request(folder), *_unknown_fields(folder)]
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems: 1 request and {sum(map(len, READ.values()))} fields looked at")
    return bool(problems)


def _wrong_request(folder: Path) -> Iterator[str]:
    (description,) = folder.glob("spec3*.yaml.gz")
    with gzip.open(description, "rt", encoding="utf-8") as text:
        paths = yaml.load(text, Loader=yaml.CSafeLoader)["paths"]
    body = paths["/v1/checkout/sessions"]["post"]["requestBody"]["content"]
    schema = _strict(body["application/x-www-form-urlencoded"]["schema"])
    for error in jsonschema.Draft202012Validator(schema).iter_errors(_request()):
        yield f"POST /v1/checkout/sessions {error.json_path}: {error.message[:120]}"


def _request() -> dict[str, Any]:
    checkout = Checkout(id=uuid.uuid4(), amount_cents=12_500)
    with mock.patch.object(stripe.practice, "current", return_value=Practice(name="Harbor Eye Care")):
        return stripe.session_params(checkout)


def _strict(schema: Any) -> Any:
    """Return a schema that refuses parameters which it does not name."""
    if isinstance(schema, list):
        return [_strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: _strict(part) for name, part in schema.items()}
    if isinstance(schema.get("properties"), dict):
        strict.setdefault("additionalProperties", False)
    return strict


def _unknown_fields(folder: Path) -> Iterator[str]:
    shown = json.loads((folder / "fixtures3.json").read_text(encoding="utf-8"))["resources"]
    for kind, fields in READ.items():
        yield from (f"{kind} has no {field}" for field in fields if field not in shown[kind])


def _folder() -> Path:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "stripe-openapi"
    if not folder.is_dir():
        raise SystemExit(f"{folder} is not there: give the folder that holds stripe-openapi/ with --data.")
    return folder


if __name__ == "__main__":
    sys.exit(main())
