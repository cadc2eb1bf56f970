"""What a model's files consist of, in words."""

from __future__ import annotations

from ui import formats
from ui.i18n import tr


def tensor_class(name: str) -> str:
    """What a class of tensors is for; see `model_manager.file_facts.TensorClass`."""
    return {
        "attention": tr("attention"),
        "state": tr("layers with a state"),
        "feed_forward": tr("dense layers"),
        "shared": tr("shared experts"),
        "experts": tr("experts"),
        "embeddings": tr("table of tokens"),
        "output": tr("output"),
        "other": tr("norms, routers and the rest"),
    }.get(name, name)


def template(verdict: str, known_as: str, expected: str, n_changes: int) -> str:
    """What the comparison of a chat template has shown; see `model_manager.known_templates.TemplateCheck`."""
    if verdict == "same":
        return tr("as known to be good ({name})", name=known_as or expected)
    if verdict == "different":
        if known_as:
            return tr("that of another model: {known}; {name} would be right", known=known_as, name=expected)
        return tr(
            "differs in {n} places from the one that is known to be good ({name})",
            name=expected,
            n=formats.number(n_changes),
        )
    if verdict == "none":
        return tr("none: chats will be written in a general form")
    return tr("there is one; nobody has compared it yet")


def template_advice() -> str:
    """What to do about a template that is another one than it should be."""
    return tr(
        "The chat template is not the one that is known to be good. "
        "If answers look wrong, take another conversion of this model."
    )
