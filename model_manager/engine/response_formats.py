"""OpenAI's field `response_format`: what an answer must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model_manager.types import OutputFormat


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class SchemaFormat(_Lenient):
    """A JSON schema of a request. It is always enforced, whatever `strict` says."""

    wanted: dict[str, Any] | bool = Field(alias="schema")


class TextFormat(_Lenient):
    """Any text."""

    type: Literal["text"]

    def to_output(self) -> OutputFormat | None:
        """As the rest of the program knows it."""
        return None


class JsonObjectFormat(_Lenient):
    """Any JSON object; the field `schema` is what llama-server takes here."""

    type: Literal["json_object"]
    wanted: dict[str, Any] | bool | None = Field(default=None, alias="schema")

    def to_output(self) -> OutputFormat | None:
        """As the rest of the program knows it."""
        return OutputFormat(schema={"type": "object"} if self.wanted is None else self.wanted)


class JsonSchemaFormat(_Lenient):
    """JSON that meets a schema."""

    type: Literal["json_schema"]
    json_schema: SchemaFormat

    def to_output(self) -> OutputFormat | None:
        """As the rest of the program knows it."""
        return OutputFormat(schema=self.json_schema.wanted)


ResponseFormat = Annotated[TextFormat | JsonObjectFormat | JsonSchemaFormat, Field(discriminator="type")]
