"""Sentences that people write for people: text, the fields of news, and conditions on them.

Law: no loop, no call, no arithmetic: a sentence costs what its length costs, whoever wrote it and whatever it says.
"""

from collections.abc import Callable, Mapping
from typing import Annotated

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment
from pydantic import AfterValidator, Field

from canary_operator.model.news import FIELDS

_ALLOWED = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)


def sentence(text: str, escape: Callable[[str], str]) -> Callable[[Mapping[str, str]], str]:
    """What says a checked sentence.

    Args:

        escape: what is done to every value, so that it is a text for whoever reads it and never markup. The text
            around the values is the author's own, markup included.
    """
    template = _environment(escape).from_string(text)
    return template.render


def _environment(escape: Callable[[str], str]) -> SandboxedEnvironment:
    # Jinja's own escaping is HTML's, and no reader of these sentences reads HTML.
    return SandboxedEnvironment(autoescape=False, finalize=lambda value: escape(str(value)))


def _require_sentence(text: str) -> str:
    try:
        parsed = _environment(str).parse(text)
    except TemplateSyntaxError as error:
        raise ValueError(f"is no Jinja template: {error.message}") from error
    for node in parsed.find_all(nodes.Node):
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"may hold fields and conditions on them, but no {type(node).__name__}")  # noqa: TRY004
        if isinstance(node, nodes.Name) and node.name not in FIELDS:
            raise ValueError(f"has no field {node.name!a}: should be one of {', '.join(FIELDS)}")
    return text


Sentence = Annotated[str, Field(min_length=1, max_length=2000), AfterValidator(_require_sentence)]
