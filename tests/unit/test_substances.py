"""What the words of a feed are taken to mean."""

import csv
import gzip
import re
import string
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.substance_text import Spellings, distance
from schemas.substances import (
    OPIOID_CLASSES,
    WATCH_LIST,
    Substance,
    SubstanceClass,
    Taxonomy,
    TaxonomyError,
    default_taxonomy,
)

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"
TAXONOMY = default_taxonomy()
LISTED = TAXONOMY.substances
HEADS = st.text(string.ascii_lowercase, min_size=1, max_size=10)
TINY = """
version = "1"
[classes.opiate]
naloxone_responsive = true
members = [{ name = "heroin", aliases = ["diamorphine"] }]
[classes.unknown_opioid]
naloxone_responsive = true
members = [{ name = "unknown opioid" }]
"""


def class_of(raw: str) -> SubstanceClass | None:
    found = TAXONOMY.classify(raw)
    return None if found is None else found.substance_class


def known(raw: str) -> Substance:
    found = TAXONOMY.classify(raw)
    assert found is not None
    return found


def names_in(text: str) -> list[str]:
    return [substance.name for substance in TAXONOMY.find_all(text)]


# What is listed


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("isotonitazene", "nitazene"),
        ("etonitazepyne", "nitazene"),
        ("N-piperidinyl etonitazene", "nitazene"),
        ("etazene", "nitazene"),
        ("Carfentanil", "fentanyl"),
        ("p-Fluorofentanyl", "fentanyl"),
        ("acetyl fentanyl", "fentanyl"),
        ("brorphine", "orphine"),
        ("U-47700", "orphine"),
        ("2-methyl-AP-237", "orphine"),
        ("diamorphine", "opiate"),
        ("6-MAM", "opiate"),
        ("morphine", "opiate"),
        ("buprenorphine", "pharmaceutical_opioid"),
        ("Oxymorphone", "pharmaceutical_opioid"),
        ("hydrocodone", "pharmaceutical_opioid"),
        ("medetomidine", "alpha2_sedative"),
        ("XYLAZINE", "alpha2_sedative"),
        ("bromazolam", "novel_benzodiazepine"),
        ("desalkylgidazepam", "novel_benzodiazepine"),
        ("alprazolam", "benzodiazepine"),
        ("midazolam", "benzodiazepine"),
        ("flunitrazepam", "benzodiazepine"),
        ("benzos", "benzodiazepine"),
        ("5F-MDMB-PINACA", "synthetic_cannabinoid"),
        ("spice", "synthetic_cannabinoid"),
        ("crack cocaine", "stimulant"),
        ("3,4-methylenedioxymethamphetamine", "stimulant"),
        ("α-PHP", "stimulant"),  # noqa: RUF001 (as laboratories write it)
        ("PCP", "dissociative"),
        ("nitrous oxide", "dissociative"),
        ("ethanol", "other_depressant"),
        ("pregabalin", "other_depressant"),
        ("opiate NOS", "unknown_opioid"),
        ("Down (Unknown Opioid)", "unknown_opioid"),
        ("not known", "unknown"),
    ],
)
def test_a_listed_name_has_its_class(raw: str, expected: str) -> None:
    assert class_of(raw) == expected


@pytest.mark.parametrize("substance", LISTED, ids=lambda one: one.name)
def test_every_listed_substance_is_found_under_its_own_name(substance: Substance) -> None:
    assert TAXONOMY.classify(substance.name) == substance
    if substance.substance_class is not SubstanceClass.UNKNOWN:
        assert TAXONOMY.find_all(f"Acute {substance.name} intoxication") == (substance,)


@pytest.mark.parametrize(
    "raw", ["", " ", "-", "Dave Smith", "paracetamol", "QUETIAPINE", "naloxone", "methanol"]
)
def test_a_string_that_no_rule_knows_is_nothing(raw: str) -> None:
    assert TAXONOMY.classify(raw) is None
    assert TAXONOMY.find_all(raw) == ()


def test_a_string_that_names_two_substances_is_not_one_substance() -> None:
    assert TAXONOMY.classify("Fentanyl and Heroin") is None
    assert names_in("Fentanyl and Heroin") == ["fentanyl", "heroin"]


def test_naloxone_works_on_opioids_and_not_on_what_is_mixed_into_them() -> None:
    responsive = {one.substance_class for one in LISTED if one.naloxone_responsive}
    assert responsive == OPIOID_CLASSES
    assert not known("xylazine").naloxone_responsive


def test_the_watch_list_of_the_file_is_the_one_the_code_counts_by() -> None:
    assert TAXONOMY.watch_list == WATCH_LIST


def test_potency_orders_the_opioids() -> None:
    potencies = [known(name).potency for name in ("codeine", "morphine", "fentanyl", "carfentanil")]
    assert potencies == sorted(set(potencies))


def test_every_class_that_events_can_have_has_members() -> None:
    assert {one.substance_class for one in LISTED} == set(SubstanceClass) - {SubstanceClass.ANY}


# Spelling


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("nitrazine", "nitazene"),
        ("nitrazenes", "nitazene"),
        ("nitazine", "nitazene"),
        ("herion", "heroin"),
        ("fentanly", "fentanyl"),
        ("fenatnyl", "fentanyl"),
        ("xyalzine", "xylazine"),
        ("xylaine", "xylazine"),
        ("cocain", "cocaine"),
        ("buprenophine", "buprenorphine"),
        ("alzprazolam", "alprazolam"),
        ("clonzepam", "clonazepam"),
        ("diazapam", "diazepam"),
        ("medetomadine", "medetomidine"),
        ("protonitazen", "protonitazene"),
    ],
)
def test_a_misspelling_means_the_name_it_must_mean(raw: str, name: str) -> None:
    assert known(raw).name == name


@pytest.mark.parametrize(
    "raw",
    [
        "dilazepam",  # diazepam and diclazepam are both one letter away
        "mrorphine",  # morphine and brorphine
        "mephadone",  # methadone and mephedrone
        "herein",  # too short to guess at
        "corine",
    ],
)
def test_a_word_between_two_neighbours_is_not_guessed(raw: str) -> None:
    assert TAXONOMY.classify(raw) is None


def one_edit(word: str) -> st.SearchStrategy[str]:
    places = st.integers(0, len(word) - 1)
    letters = st.sampled_from(string.ascii_lowercase)
    return st.one_of(
        places.map(lambda at: word[:at] + word[at + 1 :]),
        places.map(lambda at: word[:at] + word[at : at + 2][::-1] + word[at + 2 :]),
        st.builds(lambda at, letter: word[:at] + letter + word[at + 1 :], places, letters),
        st.builds(lambda at, letter: word[:at] + letter + word[at:], st.integers(0, len(word)), letters),
    )


@given(one_edit("nitrazepam"))
def test_nitrazepam_with_a_letter_wrong_never_becomes_a_nitazene(word: str) -> None:
    assert distance(word, "nitrazepam", 1) <= 1
    assert class_of(word) in {SubstanceClass.BENZODIAZEPINE, None}
    assert class_of(f"{word} 10 mg") in {SubstanceClass.BENZODIAZEPINE, None}


@given(st.sampled_from(["nitazene", "isotonitazene", "metonitazene", "protonitazene"]).flatmap(one_edit))
def test_a_nitazene_with_a_letter_wrong_never_becomes_a_licensed_benzodiazepine(word: str) -> None:
    assert class_of(word) in {SubstanceClass.NITAZENE, None}


@given(
    st.sampled_from([one for one in LISTED if one.name.isalpha() and len(one.name) > 7]).flatmap(
        lambda one: st.tuples(st.just(one), one_edit(one.name)),
    ),
)
def test_a_letter_wrong_never_moves_a_name_to_another_listed_class_unless_it_is_listed_there(
    case: tuple[Substance, str],
) -> None:
    substance, word = case
    found = TAXONOMY.classify(word)
    rules = {SubstanceClass.NOVEL_BENZODIAZEPINE}  # "clprazolam" ends as the unseen ones do
    listed = {one.name for one in LISTED}
    if found is not None and found.substance_class is not substance.substance_class:
        assert found.name == word in listed or found.substance_class in rules


@given(st.text(string.ascii_lowercase, min_size=1, max_size=12), st.text(string.ascii_lowercase, max_size=12))
def test_edit_distance_is_symmetric_and_zero_only_for_equal_words(left: str, right: str) -> None:
    assert distance(left, right, 3) == distance(right, left, 3)
    assert (distance(left, right, 3) == 0) == (left == right)


def test_a_swap_of_neighbours_is_one_edit() -> None:
    assert distance("fenatnyl", "fentanyl", 2) == 1
    assert distance("abcdefgh", "hgfedcba", 2) == 3


def test_a_word_near_two_groups_is_refused() -> None:
    spellings = Spellings([("diazepam", "old"), ("diclazepam", "new")], shortest=8)
    assert spellings.nearest("diazapam") == "diazepam"
    assert spellings.nearest("dilazepam") is None


# Members nobody has listed


@given(HEADS, st.sampled_from(["nitazene", "nitazepyne", "nitazepipne", "nitrazine", "nitazine"]))
def test_an_unseen_nitazene_is_a_nitazene(head: str, tail: str) -> None:
    assert class_of(head + tail) is SubstanceClass.NITAZENE


@given(st.sampled_from(["bentaz", "flucloti", "rilma", "zapiz", "cloniprazol", "fluclotiz"]))
def test_an_unseen_azolam_is_a_novel_benzodiazepine(head: str) -> None:
    assert class_of(f"{head}azolam") is SubstanceClass.NOVEL_BENZODIAZEPINE


@given(
    st.sampled_from(["MDMB", "ADB", "AMB", "5F-MDMB", "4F-ADB", "5F", "4F"]),
    st.sampled_from(["4en-P", "BUT", "FUB", "CHM", "P", "5'Br-BUT", "HEX"]),
    st.sampled_from(["INACA", "ICA"]),
)
def test_an_unseen_cannabinoid_is_a_synthetic_cannabinoid(head: str, middle: str, tail: str) -> None:
    assert class_of(f"{head}-{middle}{tail}") is SubstanceClass.SYNTHETIC_CANNABINOID


@pytest.mark.parametrize("spelling", ["cyclopentyl fentanyl", "cyclopentyl-fentanyl", "Cyclopentylfentanyl"])
def test_an_unseen_member_has_one_name_however_it_is_written(spelling: str) -> None:
    assert TAXONOMY.find_all(spelling) == (
        Substance("cyclopentylfentanyl", SubstanceClass.FENTANYL, True, 3),
    )


def test_only_parts_of_chemical_names_enter_the_name_of_an_unseen_member() -> None:
    assert names_in("John Smith fluoronitazene") == ["fluoronitazene"]


@pytest.mark.parametrize(
    "text", ["Flat 5F Jessica House", "5F America Square", "ab Veronica", "9 Amber Replica"]
)
def test_an_address_is_no_cannabinoid(text: str) -> None:
    assert names_in(text) == []


# Variants


@given(st.sampled_from(LISTED), st.data())
def test_case_spaces_and_hyphens_make_no_difference(substance: Substance, data: st.DataObject) -> None:
    separators = st.sampled_from([" ", "-", "  ", " - ", "‐", "–"])  # noqa: RUF001 (hyphens that documents hold)
    varied = "".join(
        data.draw(separators) if letter in " -" else data.draw(st.sampled_from([letter, letter.upper()]))
        for letter in substance.name
    )
    assert TAXONOMY.classify(f"  {varied}\t") == substance


@given(st.text(max_size=3).filter(lambda text: sum(letter.isalnum() for letter in text) <= 1))
def test_a_single_letter_means_nothing(text: str) -> None:
    assert TAXONOMY.classify(text) is None
    assert TAXONOMY.sold_as(text) is None


@given(st.text(max_size=200))
def test_any_text_can_be_read_and_gives_each_substance_once(text: str) -> None:
    found = TAXONOMY.find_all(text)
    assert len(found) == len(set(found))


# Free text


def test_every_substance_of_a_cause_of_death_is_found_in_order() -> None:
    text = "Acute Intoxication due to the Combined Effects of Fentanyl, Xylazine, and Ethanol"
    assert names_in(text) == ["fentanyl", "xylazine", "alcohol"]


def test_the_longest_name_wins() -> None:
    assert names_in(
        "para- fluorofentanyl; N-Pyrrolidino Etonitazene; 7-amino clonazepam; acetyl fentanyl, fentanyl"
    ) == [
        "para-fluorofentanyl",
        "N-pyrrolidino etonitazene",
        "clonazepam",
        "acetylfentanyl",
        "fentanyl",
    ]


def test_names_typed_without_a_space_are_found() -> None:
    assert names_in("Combined effects ofcocaine, heroinand ethanol") == ["cocaine", "heroin", "alcohol"]
    assert names_in("phencyclidinetoxicity, ofacetyl fentanyl") == ["phencyclidine", "acetylfentanyl"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("morphine, not heroin", ["morphine"]),
        ("negative for fentanyl; cocaine", ["cocaine"]),
        ("no evidence of any opioid", []),
        ("xylazine. No. Heroin", ["xylazine", "heroin"]),
        ("naloxone: no response, fentanyl suspected", ["fentanyl"]),
    ],
)
def test_what_is_denied_is_not_found(text: str, found: list[str]) -> None:
    assert names_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "aetiology unknown",
        "isopropyl alcohol",
        "nicotine",
        "endorphins",
        "heroines of the novel",
    ],
)
def test_words_that_only_look_like_a_substance_are_not_found(text: str) -> None:
    assert names_in(text) == []


@pytest.mark.parametrize("name", ["ket", "meth", "pcp"])
def test_a_short_name_is_not_put_together_from_two_words(name: str) -> None:
    assert names_in(f"{name[0]} {name[1:]}") == []
    assert names_in(f"x{name}x") == []


def test_a_word_of_a_million_letters_is_read_at_once_and_means_nothing() -> None:
    assert names_in("a" * 1_000_000 + "nitazene") == []


# Sold as


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("vallies", "benzodiazepine"),
        ("Blues", "benzodiazepine"),
        ("Xanax bars", "benzodiazepine"),
        ("Valium", "benzodiazepine"),
        ("street Valium", "benzodiazepine"),
        ("Oxy 30", "pharmaceutical_opioid"),
        ("heroin", "opiate"),
        ("Down", "unknown_opioid"),
        ("spice", "synthetic_cannabinoid"),
        ("K2", "synthetic_cannabinoid"),
    ],
)
def test_a_name_at_the_point_of_sale_claims_a_class(raw: str, expected: str) -> None:
    assert TAXONOMY.sold_as(raw) == expected


def test_what_something_is_sold_as_is_not_what_it_is() -> None:
    assert TAXONOMY.classify("vallies") is None
    assert TAXONOMY.find_all("two blues and a bar of Dairy Milk") == ()
    assert TAXONOMY.sold_as("mystery") is None


# The file


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = 2026", "no version"),
        ("version = ", "not valid TOML"),
        (TINY.replace("classes.opiate", "classes.opium"), "'opium' is not a substance class"),
        (TINY.replace("classes.opiate", "classes.any"), "'any' is for counting"),
        (TINY.replace('"diamorphine"', '"H"'), "'H' is too short"),
        (TINY.replace('"diamorphine"', '"Unknown-Opioid"'), "is listed under 'heroin' and 'unknown opioid'"),
        (TINY.replace('"heroin",', '"heroin", potency = 9,'), "potency of 'heroin' is 9"),
        (TINY.replace("naloxone_responsive = true", ""), "lacks 'naloxone_responsive'"),
        (
            TINY
            + '[classes.stimulant]\nnaloxone_responsive = false\npatterns = [{ pattern = "(", spaces = true }]',
            "'('",
        ),
    ],
)
def test_a_taxonomy_that_contradicts_itself_is_refused_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(TaxonomyError, match=re.escape(sentence)) as refused:
        Taxonomy.load(text)
    assert str(refused.value).endswith(".")


def test_a_taxonomy_is_read_from_text_or_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "substances.toml"
    path.write_text(TINY, encoding="utf-8")
    assert Taxonomy.load(path).version == Taxonomy.load(TINY).version == "1"
    assert Taxonomy.load(path).classify("Diamorphine") == Substance("heroin", SubstanceClass.OPIATE, True, 0)


def test_the_taxonomy_loads_no_numerics() -> None:
    program = "import sys, schemas.substances as s; s.default_taxonomy(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Real causes of death


@pytest.mark.skipif(not REAL.exists(), reason="the public data of ../shared/data/real is not here")
def test_ten_years_of_real_causes_of_death_agree_with_their_coded_columns() -> None:
    with gzip.open(REAL / "connecticut_deaths_2012_2022.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = [set(names_in(row["Cause of Death"])) for row in rows]
    for column, name, least in (
        ("Fentanyl", "fentanyl", 0.97),
        ("Xylazine", "xylazine", 0.98),
        ("Methadone", "methadone", 0.94),
        ("Gabapentin", "gabapentin", 0.98),
        ("Ethanol", "alcohol", 0.96),
    ):
        coded = [names for row, names in zip(rows, found, strict=True) if row[column].startswith("Y")]
        assert sum(name in names for names in coded) >= least * len(coded)
    assert sum(not names for names in found) < 400
