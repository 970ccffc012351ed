"""Owns the rendering of templates in one language: what they may use, and the trial of what an operator wrote.

Every template runs in Jinja's sandbox: one that an operator copied from somewhere reaches nothing but its context.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from gettext import NullTranslations
from traceback import walk_tb
from types import CodeType, TracebackType
from typing import Any, Final

import jinja2
from jinja2.bccache import Bucket
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ostiary.core.mail.sources import HTML, SHARED, SUBJECT, TEXT, Source, Sources
from ostiary.core.mail.template import MailTemplate
from ostiary.core.mail.words import Words, one_line, person
from ostiary.kernel.errors import Misuse

_SUBJECT_LIMIT: Final = 200
_IN_BODIES: Final = "subject"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a mail says.

    Attributes:
        subject: One line.
    """

    subject: str
    text: str
    html: str


class _Compiled(jinja2.BytecodeCache):
    """Compiles a text once for all languages and engines of a process: their environments differ in nothing that the
    compiler looks at, and compiling the templates of one mail costs more than rendering it a hundred times."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


class Renderer:
    """Renders in one language.

    Args:
        sources: The templates' texts.
        language: BCP 47 tag.
        catalog: The language's messages.
        surroundings: What every template may use besides its context, such as the site's name.
    """

    def __init__(
        self, sources: Sources, language: str, catalog: NullTranslations, surroundings: Mapping[str, Any]
    ) -> None:
        self._sources = sources
        self._language = language
        self._jinja = ImmutableSandboxedEnvironment(
            loader=jinja2.FunctionLoader(self._load),
            autoescape=jinja2.select_autoescape(("html",), default=False),
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n"],
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        words = Words(catalog)
        self._jinja.policies["ext.i18n.trimmed"] = True
        self._jinja.filters |= {
            "device": words.device,
            "duration": words.duration,
            "moment": words.moment,
            "person": person,
            "reason": words.reason,
        }
        self._jinja.globals |= {"language": language, **surroundings}
        self._surroundings = frozenset({"language", *surroundings})
        # Added by the extension; newstyle escapes what is put into a message, and never the message itself.
        self._jinja.install_gettext_translations(catalog, newstyle=True)  # type: ignore[attr-defined]

    def _load(self, name: str) -> tuple[str, str, None] | None:
        source = self._sources.find(name, self._language)
        return None if source is None else (source.text, source.path, None)

    def render(self, path: str, context: Mapping[str, Any]) -> Rendered:
        """Subject, text and HTML.

        Args:
            path: Of the mail, such as ``registration/already_registered``.
            context: What its templates ask for.
        """
        subject = one_line(self._render(path + SUBJECT, context), _SUBJECT_LIMIT)
        within = {**context, _IN_BODIES: subject}
        return Rendered(subject, self._render(path + TEXT, within), self._render(path + HTML, within))

    def _render(self, name: str, context: Mapping[str, Any]) -> str:
        return self._jinja.get_template(name).render(context)

    # ── what an operator wrote ──

    def check(self, mails: Mapping[str, MailTemplate]) -> None:
        """Try the operator's templates: each by itself, then every mail with its example.

        Args:
            mails: Every mail by its path.

        Raises:
            Misuse: one cannot be read, uses what it has not, or fails; the message names the file.
        """
        theirs = dict(self._theirs(mails))
        for name, (source, allowed) in theirs.items():
            self._check_names(name, source, allowed)
        if not theirs:
            return
        paths = {source.path for source, _ in theirs.values()}
        for path, mail in mails.items():
            try:
                self.render(path, mail.example)
            except Exception as error:
                where = _place(error.__traceback__, paths) or f"{path}, with the files of this folder,"
                raise Misuse(
                    f"mail_templates: {where} cannot be rendered ({self._language}): {type(error).__name__}: {error}"
                ) from error

    def _theirs(
        self, mails: Mapping[str, MailTemplate]
    ) -> Iterator[tuple[str, tuple[Source, frozenset[str]]]]:
        """Every replaced template with the names that its context has."""
        for name in SHARED:
            source = self._sources.replacement(name, self._language)
            if source is not None:
                yield name, (source, frozenset({_IN_BODIES} if name.startswith("layout") else ()))
        for path, mail in mails.items():
            for suffix, more in ((SUBJECT, ()), (TEXT, (_IN_BODIES,)), (HTML, (_IN_BODIES,))):
                source = self._sources.replacement(path + suffix, self._language)
                if source is not None:
                    yield path + suffix, (source, frozenset({*mail.example, *more}))

    def _check_names(self, name: str, source: Source, allowed: Collection[str]) -> None:
        try:
            tree = self._jinja.parse(source.text, name, source.path)
            self._jinja.compile(tree, name, source.path)
        except jinja2.TemplateSyntaxError as error:
            raise Misuse(f"mail_templates: {source.path}, line {error.lineno}: {error.message}") from error
        unknown = find_undeclared_variables(tree) - set(allowed)
        if unknown:
            raise Misuse(
                f"mail_templates: {source.path} uses {', '.join(sorted(unknown))}, which it has not; it may use "
                f"{', '.join(sorted({*allowed, *self._surroundings}))}"
            )


def _place(trace: TracebackType | None, paths: Collection[str]) -> str:
    """The innermost place in one of the files; "" when none of them was running."""
    places = [
        f"{frame.f_code.co_filename}, line {line},"
        for frame, line in walk_tb(trace)
        if frame.f_code.co_filename in paths
    ]
    return places[-1] if places else ""
