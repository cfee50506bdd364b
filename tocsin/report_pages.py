"""Pages that a command writes for the person who ran it: one HTML file each, whole in itself.

``tocsin explain`` and ``tocsin backtest`` use it. A page asks nothing of any network: its style is in it, its pictures
are SVG in its text. All pages hold true numbers and carry the internal stamp.
"""

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from alerts.charts import Spec, to_svg
from schemas.disclosure import Classification


def page(template: str, content: Mapping[str, Any], **more: object) -> str:
    """Return a whole page from one of the templates beside this module."""
    environment = Environment(
        loader=PackageLoader("tocsin", "report_templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        **content, **more, classification=Classification.INTERNAL.value
    )


def inline(spec: Spec, alt: str) -> Markup:
    """Draw a spec as SVG that can stand in a page, with words for those who cannot see it."""
    svg = to_svg(spec)
    label = Markup.escape(alt)
    # Within a page the names of the formats are not needed, and nothing in it then looks like an address.
    plain = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg)
    named = plain.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    return Markup(named)  # noqa: S704 (made by our own drawing library from our own numbers)
