"""No identifier gets past screening, and no normal record is stopped by it."""

import base64
import hashlib
import uuid
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.substances import default_taxonomy
from streams.screening import describe, screen
from streams.screening_rules import Identifier, holds_identifier
from streams.snomed import is_snomed_identifier

NORMAL: dict[str, Any] = {
    "event_id": "SECAMB-2024-03-07-000123",
    "feed": "ambulance-naloxone",
    "jurisdiction": "kent-and-medway",
    "source": {"organisation": "secamb", "site": "thanet"},
    "occurred_at": "2024-03-07T23:15:00Z",
    "areas": {"event": "E01024123", "residence": "E07000114"},
    "doses": [{"given_by": "ambulance", "route": "intranasal"}],
    "suspected": ["heroin"],
}


def nhs_numbers() -> st.SearchStrategy[str]:
    """Return every number that could be one: nine digits and the check digit that they call for."""

    def whole(nine: int) -> str | None:
        digits = f"{nine:09d}"
        check = (11 - sum((10 - n) * int(digit) for n, digit in enumerate(digits)) % 11) % 11
        return None if check == 10 else f"{digits}{check}"

    return st.integers(0, 999_999_999).map(whole).filter(lambda number: number is not None).map(str)


def kinds(record: dict[str, Any]) -> set[Identifier]:
    return {finding.kind for finding in screen(record).findings}


FIELDS = (
    "event_id",
    "batch",
    "scene",
    "subject",
    "suspected",
    "appearance",
    "occurred_at",
    "diagnoses",
    "remarks",
)
GROUPS = (
    "{0}{1}{2}",
    "{0} {1} {2}",
    "{0}-{1}-{2}",
    "{0}.{1}.{2}",
    "{0}\u00a0{1}\u00a0{2}",
    "{0} - {1} - {2}",
)
AROUND = ("{}", "NHS {}", "id:{} (patient)", "NHS{}", "ref/{}/1")


@given(
    number=nhs_numbers(),
    field=st.sampled_from(FIELDS),
    group=st.sampled_from(GROUPS),
    around=st.sampled_from(AROUND),
    depth=st.integers(0, 4),
)
def test_every_valid_nhs_number_is_found_in_any_field_nested_spaced_or_not(
    number: str, field: str, group: str, around: str, depth: int
) -> None:
    if field == "diagnoses" and is_snomed_identifier(number):
        return
    value: Any = around.format(group.format(number[:3], number[3:6], number[6:]))
    for _ in range(depth):
        value = [{"suspected": value}]
    screened = screen(NORMAL | {field: value})
    assert screened.findings
    assert screened.clean is not None
    kept = str(screened.clean).replace(" ", "")
    assert number not in "".join(character for character in kept if character.isalnum())


@given(number=nhs_numbers(), field=st.sampled_from(("acuity", "version", "remarks")))
def test_an_nhs_number_sent_as_a_number_is_found_even_without_its_leading_zero(
    number: str, field: str
) -> None:
    found = kinds(NORMAL | {field: int(number)})
    assert (Identifier.NHS_NUMBER in found) is (int(number) >= 10**8)
    if number[0] != "0":
        assert kinds(NORMAL | {field: float(number)}) == {Identifier.NHS_NUMBER}


@given(number=nhs_numbers())
def test_an_nhs_number_as_a_key_is_found_and_not_kept(number: str) -> None:
    screened = screen(NORMAL | {number: "x"})
    assert {finding.kind for finding in screened.findings} == {Identifier.NHS_NUMBER}
    assert number not in str(screened.clean)
    assert number not in describe(screened.findings)


def test_digits_before_it_cannot_hide_an_nhs_number() -> None:
    assert holds_identifier("1234 943 476 5919") is Identifier.NHS_NUMBER
    assert holds_identifier("１２ ９４３４７６５９１９") is Identifier.NHS_NUMBER  # noqa: RUF001 (full-width digits)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("CT9 4AB", Identifier.POSTCODE),
        ("found at ct94ab", Identifier.POSTCODE),
        ("EC1A 1BB", Identifier.POSTCODE),
        ("m1-1ae", Identifier.POSTCODE),
        ("12/03/1984", Identifier.DATE_OF_BIRTH),
        ("born 12 March 1984", Identifier.DATE_OF_BIRTH),
        ("12-Mar-84", Identifier.DATE_OF_BIRTH),
        ("1984-03-12", Identifier.DATE_OF_BIRTH),
        ("March 12th, 1984", Identifier.DATE_OF_BIRTH),
        ("19840312", Identifier.DATE_OF_BIRTH),
        ("1984-03-12T00:00:00Z", Identifier.DATE_OF_BIRTH),
        ("01843 123456", Identifier.TELEPHONE),
        ("(01843) 123456", Identifier.TELEPHONE),
        ("020 7946 0018", Identifier.TELEPHONE),
        ("0161 496 0000", Identifier.TELEPHONE),
        ("07700 900123", Identifier.TELEPHONE),
        ("call 07700900123 now", Identifier.TELEPHONE),
        ("+44 7700 900123", Identifier.TELEPHONE),
        ("+44 (0)7700 900123", Identifier.TELEPHONE),
        ("447700900123", Identifier.TELEPHONE),
        ("jo.o'neil+x@nhs.net", Identifier.EMAIL),
    ],
)
def test_each_kind_of_identifier_is_found_in_text(text: str, kind: Identifier) -> None:
    assert kinds(NORMAL | {"appearance": text}) == {kind}


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("dob", Identifier.DATE_OF_BIRTH),
        ("Date of Birth", Identifier.DATE_OF_BIRTH),
        ("patient_dob", Identifier.DATE_OF_BIRTH),
        ("nhs_no", Identifier.NHS_NUMBER),
        ("PostCode", Identifier.POSTCODE),
        ("surname", Identifier.NAME),
        ("latitude", Identifier.POSITION),
    ],
)
def test_a_key_that_says_what_it_holds_is_believed_whatever_the_value_looks_like(
    key: str, kind: Identifier
) -> None:
    screened = screen(NORMAL | {key: "seventies"})
    assert {finding.kind for finding in screened.findings} == {kind}
    assert "seventies" not in str(screened.clean)
    assert not screen(NORMAL | {key: None}).findings


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2C-B",
            "U-47700",
            "5F-MDMB-PINACA",
            "MDMB-4en-PINACA",
            "AH-7921",
            "2-methyl-AP-237",
            "1P-LSD",
            "MT-45",
        ),
        *(
            "AB-001",
            "5F-CUMYL-P7AICA",
            "25I-NBOMe",
            "4,4'-DMAR",
            "Oxy 30",
            "25 mg/ml",
            "E01024123",
            "E07000114",
        ),
        *(
            "TN24",
            "CT9",
            "W1",
            "T40.1",
            "X42",
            "blue-round-tablet",
            "ward-b2-3rd-floor",
            "S3 1MG",
            "10.5 20.3",
        ),
    ],
)
def test_codes_and_substance_names_pass(text: str) -> None:
    assert not screen(NORMAL | {"suspected": [text], "appearance": text, "diagnoses": [text]}).findings


def test_every_name_of_the_taxonomy_passes() -> None:
    names = [substance.name for substance in default_taxonomy().substances]
    assert len(names) > 100
    assert not screen(NORMAL | {"suspected": names}).findings


def test_a_ten_digit_snomed_code_passes_among_the_diagnoses_only() -> None:
    # The smallest ten-digit concept identifier that is also a valid NHS number.
    code = next(
        text
        for n in range(10_000_000)
        if is_snomed_identifier(text := f"{1_000_000_000 + n}") and holds_identifier(text)
    )
    assert not screen(NORMAL | {"diagnoses": [code]}).findings
    assert kinds(NORMAL | {"event_id": code}) == {Identifier.NHS_NUMBER}


def test_an_nhs_number_among_the_diagnoses_is_found_since_it_is_no_snomed_code() -> None:
    assert kinds(NORMAL | {"diagnoses": ["55680006", "9434765919"]}) == {Identifier.NHS_NUMBER}


@pytest.mark.parametrize("code", ["22298006", "55680006", "73211009", "999001261000000100"])
def test_real_snomed_codes_are_well_formed_and_a_changed_digit_is_not(code: str) -> None:
    assert is_snomed_identifier(code)
    assert not is_snomed_identifier(code[:1] + str((int(code[1]) + 1) % 10) + code[2:])


def test_a_reference_that_begins_with_the_day_it_happened_passes_and_one_with_another_date_does_not() -> None:
    assert not screen(NORMAL | {"event_id": "2024-03-06/17"}).findings
    assert kinds(NORMAL | {"event_id": "JS-1984-03-12"}) == {Identifier.DATE_OF_BIRTH}


def test_a_postcode_in_a_token_is_found_although_tokens_are_meant_to_be_random() -> None:
    assert kinds(NORMAL | {"scene": "household-CT9-4AB-thanet"}) == {Identifier.POSTCODE}


def test_a_time_is_only_a_time_where_times_belong() -> None:
    assert not screen({"occurred_at": "2024-03-07 23:15", "received_at": 1_709_853_300}).findings
    assert kinds({"occurred_at": "9434765919"}) == {Identifier.NHS_NUMBER}


def test_a_code_of_the_loaded_geography_passes_as_an_area_and_nowhere_else() -> None:
    code = "0901337910"
    assert screen(NORMAL | {"areas": {"event": code}}).findings
    assert not screen(NORMAL | {"areas": {"event": code}}, area_codes={code}).findings
    assert screen(NORMAL | {"event_id": code}, area_codes={code}).findings


def test_the_copy_for_quarantine_keeps_the_rest_but_nothing_from_fields_that_no_message_has() -> None:
    record = NORMAL | {"event_id": "9434765919", "remarks": "Mrs Jones's house", "place_type": "x" * 300}
    screened = screen(record)
    assert screened.clean is not None
    assert screened.clean["event_id"] == "[redacted: NHS number]"
    assert screened.clean["areas"] == NORMAL["areas"]
    assert screened.clean["place_type"] == "[left out]"
    assert "Jones" not in str(screened.clean)
    assert "remarks" not in str(screened.clean)
    assert record["event_id"] == "9434765919"


def test_the_sentence_says_what_where_and_what_to_do() -> None:
    said = describe(screen(NORMAL | {"event_id": "9434765919"}).findings)
    assert "NHS number in event_id" in said
    assert "keyed hash" in said


def test_nesting_without_end_is_a_finding_and_not_a_crash() -> None:
    value: Any = "x"
    for _ in range(500):
        value = [value]
    assert kinds({"areas": value}) == {Identifier.TOO_DEEP}


@pytest.mark.parametrize("text", ["a" * 3_000_000 + " @", "1 " * 1_000_000 + "@", "0" * 3_000_000])
def test_text_that_would_take_hours_to_search_is_a_finding_at_once_and_not_kept(text: str) -> None:
    screened = screen(NORMAL | {"appearance": text, text: "x"})
    assert {finding.kind for finding in screened.findings} == {Identifier.TOO_LONG}
    assert text not in str(screened.clean)


@pytest.mark.parametrize(
    "text", ["a" * 998 + "@", "0" * 1000, "1 " * 500, "0 (" * 333, "1/" * 500, "1st" * 330]
)
def test_the_longest_text_that_is_searched_is_searched_quickly(text: str) -> None:
    """A rule that backtracks without end would hang here rather than fail."""
    screen(dict.fromkeys(("appearance", "event_id", "scene", "occurred_at", "diagnoses", "remarks"), text))


def _hashes() -> st.SearchStrategy[str]:
    digests = st.binary(min_size=16, max_size=32)
    return st.one_of(
        digests.map(lambda data: hashlib.sha256(data).hexdigest()),
        digests.map(lambda data: hashlib.md5(data).hexdigest()),
        digests.map(
            lambda data: base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        ),
        st.uuids().map(str),
        st.uuids().map(lambda value: value.hex),
    )


@settings(max_examples=300)
@given(
    token=_hashes(),
    day=st.dates(date(2015, 1, 1), date(2035, 12, 31)),
    number=st.integers(0, 99_999_999),
    shape=st.sampled_from(("{day}-{number:06d}", "SEC/{day}/{number}", "ED{number:07d}", "{token}")),
    area=st.integers(1_000_000, 1_035_000),
)
def test_normal_events_pass(token: str, day: date, number: int, shape: str, area: int) -> None:
    event_id = shape.format(day=day, number=number % 1_000_000, token=token)
    record = NORMAL | {
        "event_id": event_id,
        "occurred_at": f"{day}T23:15:00+01:00",
        "areas": {"event": f"E0{area}"},
        "scene": token,
        "subject": token[:32],
    }
    assert not screen(record).findings


def test_thousands_of_random_hashes_and_identifiers_pass() -> None:
    """A rule that hits one hash in ten thousand would quarantine dozens of records of a large file."""
    stopped = 0
    for n in range(20_000):
        digest = hashlib.sha256(str(n).encode())
        token = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
        made = {"event_id": str(uuid.UUID(bytes=digest.digest()[:16])), "batch": digest.hexdigest()}
        stopped += len(screen(NORMAL | made | {"scene": token, "subject": token[:22]}).findings)
    assert stopped == 0
