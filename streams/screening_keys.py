"""Field names that say what their field holds: date of birth, NHS number, postcode, name, position.

For ``screening.py`` only. No message has such a field, so whatever stands there must not be kept, even when
its value looks like nothing in particular.
"""

from streams.screening_rules import Identifier

_KEYS: tuple[tuple[Identifier, frozenset[str]], ...] = (
    (
        Identifier.DATE_OF_BIRTH,
        frozenset(
            {
                "dob",
                "dateofbirth",
                "birthdate",
                "birthday",
                "born",
                "patientdob",
                "dateborn",
                "birthdt",
                "pdob",
            }
        ),
    ),
    (
        Identifier.NHS_NUMBER,
        frozenset(
            {
                "nhs",
                "nhsnumber",
                "nhsno",
                "nhsnum",
                "chi",
                "chinumber",
                "chino",
                "patientnhsnumber",
                "hcnumber",
            }
        ),
    ),
    (
        Identifier.POSTCODE,
        frozenset(
            {
                "postcode",
                "postalcode",
                "homepostcode",
                "incidentpostcode",
                "zip",
                "zipcode",
                "patientpostcode",
            }
        ),
    ),
    (
        Identifier.TELEPHONE,
        frozenset(
            {"phone", "telephone", "tel", "mobile", "phonenumber", "telephonenumber", "mobilenumber", "telno"}
        ),
    ),
    (Identifier.EMAIL, frozenset({"email", "emailaddress", "mail"})),
    (
        Identifier.NAME,
        frozenset(
            {
                *(
                    "name",
                    "fullname",
                    "firstname",
                    "forename",
                    "givenname",
                    "middlename",
                    "lastname",
                    "surname",
                ),
                *(
                    "familyname",
                    "patientname",
                    "patient",
                    "initials",
                    "address",
                    "homeaddress",
                    "street",
                    "addressline1",
                ),
                *("addressline2", "house", "nextofkin", "gp", "gpname"),
            }
        ),
    ),
    (
        Identifier.POSITION,
        frozenset(
            {
                *(
                    "latitude",
                    "longitude",
                    "lat",
                    "lon",
                    "lng",
                    "long",
                    "coordinates",
                    "easting",
                    "northing",
                    "uprn",
                ),
                *("what3words", "gridreference", "gridref", "position"),
            }
        ),
    ),
)
_KIND_BY_KEY = {key: kind for kind, keys in _KEYS for key in keys}


def kind_of_key(name: str) -> Identifier | None:
    """Return what the name of a field says that it holds, such as ``Date of Birth`` or ``patient_nhs_no``."""
    letters = "".join(character for character in name.casefold() if character.isalnum())
    for prefix in ("", "patient", "subject", "person", "client"):
        if (
            letters.startswith(prefix)
            and (kind := _KIND_BY_KEY.get(letters.removeprefix(prefix))) is not None
        ):
            return kind
    return Identifier.DATE_OF_BIRTH if "birth" in letters else None
