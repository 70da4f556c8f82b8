"""A survey: its questions are the policy's, its answers are kept once a message.

Answering again changes them. What an answer says of the contact (`attribute`) is kept beside the
contact, for the texts and for segments. A text may hold anything: it is shown to whoever wrote it,
and stands in outbox.survey alone, by contact, never in a log.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Response
from sqlalchemy.engine import Connection

from reengage import db
from reengage.policy import Question, Step
from reengage.texts import coupons
from reengage.web.catalogues import Voice
from reengage.web.forms import Form, text_of
from reengage.web.service import Press, Service
from reengage.web.visits import Visit

Answer = str | int | bool | list[str]
SCALE = {str(number): number for number in range(11)}
YES_NO = {"yes": True, "no": False}


def add_routes(_: FastAPI, service: Service) -> None:
    """The press `answers` keeps the answers (422 where one is to be put right), and gives the
    step's incentive to whoever has answered.
    """
    pages = service.pages

    def show(visit: Visit, status: int = 200, **shown: Any) -> Response:
        step = pages.step(visit)
        if step is None or not step.questions:
            return pages.landing(visit)
        t = pages.voice(visit)
        worth = None
        if step.incentive:
            brand = service.policy.brand
            offer = coupons.Coupon.issue(step.incentive, service.policy, visit.at)
            worth = offer.worth(brand.currency, t.locale) if offer.expires_at > visit.at else None
        name = pages.template(visit.landing, "survey.html")
        # Who has said nothing yet sees what everybody sees.
        alike = None if visit.answers is not None or shown else (worth,)
        shown = {"errors": {}, "is_done": False, "answers": visit.answers or {}, **shown}
        return pages.show(
            name,
            visit,
            status,
            alike=alike,
            questions=step.questions,
            reward=worth,
            is_answered=visit.answers is not None,
            **shown,
        )

    async def view(visit: Visit) -> Response:
        return show(visit)

    for step in service.policy.steps:
        if step.questions:
            service.views[step.landing] = view

    def answer(connection: Connection, visit: Visit, form: Form, is_late: bool) -> Response:
        step = pages.step(visit)
        if step is None or not step.questions or visit.is_expired:
            return show(replace(visit, answers=None))
        answers, errors = read(step, form, pages.voice(visit))
        if is_late:  # nobody can put them right: the others count
            answers = {name: said for name, said in answers.items() if name not in errors}
        elif errors:
            return show(visit, 422, answers=answers, errors=errors)
        save(connection, service, visit, step, answers)
        incentive = visit.incentive or coupons.issue_for(
            connection, service.policy, step, visit.message_id, visit.contact_id, visit.at
        )
        return show(replace(visit, answers=answers), is_done=True, incentive=incentive)

    def needs(form: Form) -> Form | None:
        """What of a form answers a survey, whichever it is, without a mistake."""
        for step in service.policy.steps:
            answers, errors = read(step, form, pages.catalogues.voice())
            if step.questions and not errors:
                return {name: form[name] for name in answers}
        return None

    service.presses["answers"] = Press(answer, needs)


def read(step: Step, form: Form, t: Voice) -> tuple[dict[str, Answer], dict[str, str]]:
    """The answers in a form by question, and what is wrong with it, in the page's words.

    A question that is not answered is in neither, unless it is required. Only what can stand in
    the field again is an answer: a wrong choice is none.
    """
    answers: dict[str, Answer] = {}
    errors: dict[str, str] = {}
    for question in step.questions:
        given = [value for value in form.get(question.name, []) if value.strip()]
        if not given:
            if question.required:
                errors[question.name] = t("survey.missing")
        elif question.kind == "text":
            text = text_of(given[0])
            answers[question.name] = text[: 2 * question.max_length]
            if len(text) > question.max_length:
                errors[question.name] = t(
                    "survey.long", count=t.number(question.max_length), used=t.number(len(text))
                )
            elif not text:
                del answers[question.name]
                if question.required:
                    errors[question.name] = t("survey.missing")
        else:
            known = _known(question)
            if all(value in known for value in given) and (
                question.kind == "choices" or len(given) == 1
            ):
                chosen = [known[value] for value in known if value in given]
                answers[question.name] = chosen if question.kind == "choices" else chosen[0]
            else:
                errors[question.name] = t("survey.pick")
    return answers, errors


def _known(question: Question) -> Mapping[str, Any]:
    """What may be posted for a question, and the answer it is."""
    if question.kind == "scale":
        return SCALE
    if question.kind == "yes_no":
        return YES_NO
    return {value: value for value in question.options}


def save(
    connection: Connection,
    service: Service,
    visit: Visit,
    step: Step,
    answers: Mapping[str, Answer],
) -> None:
    """Keep the answers to a message's survey, in the caller's transaction. Twice: the same."""
    named = {question.attribute: question.name for question in step.questions if question.attribute}
    attributes = {name: answers[asked] for name, asked in named.items() if asked in answers}
    db.run(
        connection,
        "web/save_answers",
        contact_id=visit.contact_id,
        message_id=visit.message_id,
        step=step.name,
        at=visit.at,
        policy_version=service.policy.version,
        asked=[q.name for q in step.questions],
        answers=json.dumps(answers),
        words=json.dumps(in_words(step, answers, service)),
        attributes=json.dumps(attributes),
        attribute_names=list(named),
    )


def in_words(step: Step, answers: Mapping[str, Answer], service: Service) -> dict[str, Any]:
    """How answers, and the questions they are to, read in the brand's language, for whoever reads
    the contact's story; by question. What somebody wrote themselves is not in it.
    """
    t = service.pages.catalogues.voice()

    def option(question: Question, answer: Answer) -> str:
        if question.kind == "yes_no":
            return str(t("survey.yes" if answer else "survey.no").unescape())
        if question.kind == "scale":
            return f"{answer} / 10"
        return str(t.say(question.options[str(answer)]).unescape())

    words: dict[str, Any] = {}
    for place, question in enumerate(step.questions, 1):
        if question.name in answers:
            answer = answers[question.name]
            given = answer if isinstance(answer, list) else [answer]
            said = {"place": place, "question": str(t.say(question.label).unescape())}
            if question.kind != "text":
                said["answer"] = t.list(option(question, one) for one in given)
            words[question.name] = said
    return words
