"""The action server ``~/ask``: questions of other processes, answered from the facts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from liquid_mono3d.action import AskTrajectory
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import GoalEvent, ServerGoalHandle

from liquid_mono3d_ros.checks import complain
from liquid_mono3d_ros.language.answer import NOT_KNOWN
from liquid_mono3d_ros.language.prompt import LONGEST_QUESTION
from liquid_mono3d_ros.language.writer import NEW_LINE, Request, Writer
from liquid_mono3d_ros.nodes.stage import Stage
from liquid_mono3d_ros.records import Description, Facts

RESULT_KEPT = 30
"""Seconds for which a client may still fetch a result."""
_ENDED = object()


class Asking:
    """Answers one question after the other, while the node goes on listening.

    A goal is rejected while the node is not active or ``capacity`` questions wait. rclpy does not
    tell clients apart, so the limit is one for all of them together. A question that is empty or
    too long is aborted, with a sentence in place of the answer.

    Args:
        node: That answers.
        facts_of: Track id, None for the oldest → its facts, None when there are none.
        writer: That writes the answers.
        capacity: Questions that may wait.
    """

    def __init__(
        self,
        node: Stage[Any],
        facts_of: Callable[[int | None], Facts | None],
        writer: Writer,
        capacity: int,
    ) -> None:
        self._node = node
        self._facts_of = facts_of
        self._writer = writer
        self._capacity = capacity
        self._open: dict[bytes, object] = {}
        self._server = ActionServer(
            node,
            AskTrajectory,
            "~/ask",
            execute_callback=_end_unasked,
            goal_callback=self._admit,
            handle_accepted_callback=self._begin,
            cancel_callback=self._cancel,
            result_timeout=RESULT_KEPT,
        )

    def close(self) -> None:
        """Destroy the server."""
        self._server.destroy()

    def abort_all(self, sentence: str) -> None:
        """Abort the questions that have no answer yet."""
        for key in list(self._open):
            goal = self._server._goal_handles.get(key)
            if goal is not None:
                self._end(goal, AskTrajectory.Result(answer=sentence, abstained=True), "abort")

    def _admit(self, goal: AskTrajectory.Goal) -> GoalResponse:
        node = self._node
        if node.state != "active" or not node.enabled:
            node.drop("question_refused", "a question came while the node was not active")
            return GoalResponse.REJECT
        if len(self._open) >= self._capacity:
            cure = f"Ask again when one of the {self._capacity} that wait is answered."
            node.drop("question_refused", f"too many questions at a time. {cure}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _begin(self, goal: ServerGoalHandle) -> None:
        # ServerGoalHandle.execute does this too, but would end the goal when its callback returns.
        goal._update_state(GoalEvent.EXECUTE)
        self._node.counts["questions"] += 1
        self._open[_key(goal)] = None
        question = goal.request.question
        if refusal := _refuse(question):
            self._end(goal, AskTrajectory.Result(answer=refusal, abstained=True), "abort")
            return
        track_id = goal.request.track_id[0] if len(goal.request.track_id) else None
        with self._node.lock:
            facts = self._facts_of(track_id)
        if facts is None:
            what = (
                "No object is followed." if track_id is None else f"There is no track {track_id}."
            )
            result = AskTrajectory.Result(answer=f"{NOT_KNOWN} {what}", abstained=True)
            self._end(goal, result, "succeed")
            return
        hear = _Partial(goal).hear
        request = Request(facts, partial(self._told, goal), question=question, hear=hear)
        self._open[_key(goal)] = request
        self._writer.submit(request)

    def _told(self, goal: ServerGoalHandle, words: Description) -> None:
        result = AskTrajectory.Result(
            answer=words.text, evidence=list(words.evidence), abstained=not words.evidence
        )
        self._end(goal, result, "succeed")

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        request = self._open.get(_key(goal))
        if not isinstance(request, Request) or not self._writer.cancel(request):
            return CancelResponse.REJECT  # the answer is on its way
        # It is ended by a task of the executor, so after it was marked as to be cancelled.
        self._end(goal, AskTrajectory.Result(abstained=True), "canceled")
        return CancelResponse.ACCEPT

    def _end(self, goal: ServerGoalHandle, result: AskTrajectory.Result, how: str) -> None:
        """End a goal in the executor's thread; from any thread."""

        def end(goal: ServerGoalHandle) -> AskTrajectory.Result:
            getattr(goal, how)()
            return result

        if self._open.pop(_key(goal), _ENDED) is _ENDED:
            return
        if self._node.executor is not None:
            self._server.notify_execute(goal, end)


class _Partial:
    """Publishes an answer as far as it is written."""

    def __init__(self, goal: ServerGoalHandle) -> None:
        self._goal = goal
        self._text = ""

    def hear(self, piece: str) -> None:
        if piece == NEW_LINE and not self._text:
            return
        self._text = "" if piece == NEW_LINE else self._text + piece
        self._goal.publish_feedback(AskTrajectory.Feedback(partial=self._text))


def _refuse(question: str) -> str:
    """Return why a question is not answered; empty if it is."""
    if len(question) > LONGEST_QUESTION:
        rule, got = f"at most {LONGEST_QUESTION} characters", f"{len(question)}"
        return complain("question", rule, got, "Ask for one thing at a time.")
    if not question.strip():
        return complain("question", "one word or more", "none", "Ask something.")
    return ""


def _key(goal: ServerGoalHandle) -> bytes:
    return bytes(goal.goal_id.uuid)


def _end_unasked(goal: ServerGoalHandle) -> AskTrajectory.Result:
    """Stand where rclpy wants a callback; every goal is given one of its own."""
    goal.abort()
    return AskTrajectory.Result(abstained=True)
