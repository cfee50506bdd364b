"""What every answer carries, and what operators read."""

import re
from html.parser import HTMLParser

import pytest

from schemas.authorise import Role
from tests.unit.web.house import House
from tocsin.web.rendering import style_address

PAGES = ("/incidents", "/feeds", "/quarantine", "/audit", "/nowhere", "/incidents/KM-2018-9999")


@pytest.mark.parametrize("path", [*PAGES, "/healthz", "/readyz", "/metrics", "/api/v1/incidents"])
def test_every_answer_forbids_scripts_frames_sniffing_and_caching(house: House, path: str) -> None:
    client = house.signed_in("coordinator", Role.COORDINATOR)
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


def test_only_a_service_behind_tls_asks_browsers_to_insist_on_it(house: House) -> None:
    from dataclasses import replace

    from tocsin.web.app import create_app

    assert "strict-transport-security" not in house.client().get("/healthz").headers
    house.app = create_app(replace(house.services, cookie_secure=True))
    assert "strict-transport-security" in house.client().get("/healthz").headers


class _Outline(HTMLParser):
    """What a page is made of: enough to check what a screen reader and a strict policy need."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def outlines(house: House) -> dict[str, _Outline]:
    incident_id = house.incident()
    client = house.signed_in("coordinator", Role.COORDINATOR)
    pages = {path: client.get(path).text for path in (*PAGES, f"/incidents/{incident_id}")}
    return {path: _Outline(page) for path, page in pages.items()} | {
        "signed out": _Outline(house.client().get("/sign-in").text)
    }


def test_no_page_holds_a_script_an_inline_style_or_an_address_of_another_site(
    outlines: dict[str, _Outline],
) -> None:
    for path, outline in outlines.items():
        assert not outline.all("script"), path
        for tag, attributes in outline.tags:
            assert "style" not in attributes, (path, tag)
            assert not any(name.startswith("on") for name in attributes), (path, tag)
            for name in ("href", "src", "action"):
                assert not re.match(r"\w+:|//", attributes.get(name) or ""), (path, tag)


def test_every_page_has_a_language_a_title_one_heading_and_a_main_landmark(
    outlines: dict[str, _Outline],
) -> None:
    for path, outline in outlines.items():
        assert outline.all("html")[0]["lang"] == "en-GB", path
        assert len(outline.all("h1")) == 1, path
        assert len(outline.all("main")) == 1, path
        assert len(outline.all("title")) == 1, path


def test_every_field_has_a_label_every_picture_words_and_every_column_a_heading(
    outlines: dict[str, _Outline],
) -> None:
    for path, outline in outlines.items():
        labelled = {label["for"] for label in outline.all("label")}
        fields = [field for tag in ("input", "select") for field in outline.all(tag)]
        for field in fields:
            assert field.get("type") == "hidden" or field.get("id") in labelled, (path, field)
        assert all(picture.get("alt") for picture in outline.all("img")), path
        assert all(heading.get("scope") for heading in outline.all("th")), path
        ids = [attributes["id"] for _, attributes in outline.tags if "id" in attributes]
        assert len(ids) == len(set(ids)), path


def test_the_style_sheet_is_kept_by_browsers_and_its_address_changes_with_it(house: House) -> None:
    answer = house.client().get(style_address())
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert house.client().get("/static/style-0.css").status_code == 404


def test_a_fault_of_ours_is_a_plain_sentence_and_is_measured(house: House) -> None:
    def broken() -> dict[str, bool]:
        raise RuntimeError("NHS number 943 476 5919")

    from dataclasses import replace

    from tocsin.web.app import create_app

    house.app = create_app(replace(house.services, readiness=broken))
    answer = house.client().get("/readyz")
    assert answer.status_code == 500
    assert "943" not in answer.text
    assert "Something went wrong in Tocsin itself" in answer.text
    exposed = house.services.metrics.exposition().decode()
    assert (
        'tocsin_http_request_duration_seconds_count{method="GET",route="/readyz",status="500"} 1.0' in exposed
    )


def test_readiness_names_what_is_missing(house: House) -> None:
    assert house.client().get("/readyz").json()["ready"] is True
    house.readiness["reader"] = False
    answer = house.client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "checks": {"database": True, "migrations": True, "reader": False},
    }
    assert house.client().get("/healthz").status_code == 200


def test_requests_are_measured_by_route_and_never_by_path(house: House) -> None:
    client = house.signed_in("officer", Role.ON_CALL)
    client.get("/incidents/KM-2018-0042")
    client.get("/jane-doe")
    client.request("JANE", "/feeds")
    exposed = house.services.metrics.exposition().decode()
    assert 'route="/incidents/{incident_id}"' in exposed
    assert 'route="(no route)"' in exposed
    assert "KM-2018-0042" not in exposed
    assert "jane" not in exposed.lower()


def test_a_form_that_is_too_large_is_refused(house: House) -> None:
    answer = house.client().post("/sign-in", data={"email": "a@b.example" + "x" * 70_000})
    assert answer.status_code == 413
