"""Lets executions start once and end when they are stopped, as on AWS."""

from ministack.core.responses import json_response


class Ended(Exception):
    """The execution is over, and its thread goes no further."""


def amend(sfn):
    start_once(sfn)
    end_when_stopped(sfn)


def start_once(sfn):
    """Starting a running execution again, by name and with the same input, tells the first; the emulator refuses it."""
    start = sfn._start_execution

    def amended(data):
        machine = sfn._resolve_state_machine_arn(data.get("stateMachineArn", ""))
        arn = f"{(machine or '').replace(':stateMachine:', ':execution:')}:{data.get('name')}"
        known = sfn._executions.get(arn)
        if known and known["status"] == "RUNNING" and known["input"] == data.get("input", "{}"):
            return json_response({"executionArn": arn, "startDate": known["startDate"]})
        return start(data)

    sfn._start_execution = amended


def end_when_stopped(sfn):
    """After a stop nothing more is entered, invoked or retried, and what fails then changes no status.

    The emulator's thread would go on, and a failure after the stop would turn ABORTED into FAILED."""
    add, fail = sfn._add_event, sfn._fail_execution

    def add_while_running(execution, kind, details=None):
        if execution["status"] != "RUNNING" and not kind.startswith("Execution"):
            raise Ended(execution["executionArn"])
        return add(execution, kind, details)

    def fail_while_running(execution, error, cause):
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    sfn._add_event, sfn._fail_execution = add_while_running, fail_while_running
