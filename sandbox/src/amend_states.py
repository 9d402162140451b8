"""Lets executions start once and end when they are stopped, and functions be refused or fail, as on AWS."""

import json
import threading

from ministack.core.responses import error_response_json, json_response


class Ended(Exception):
    """The execution is over, and its thread goes no further."""


# The most that a state may take or give, and that a task may be told
# (https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html).
LARGEST = 256 * 1024
TOO_LARGE = "States.DataLimitExceeded"


def amend(sfn, faults):
    start_once(sfn)
    list_of_known(sfn)
    limit_payloads(sfn)
    end_when_stopped(sfn)
    name_refusals(sfn)
    fail_functions(sfn, faults)


def limit_payloads(sfn):
    """Ends an execution where more than 256 KiB is handed on, as text in UTF-8. Neither a retry nor a catch of States.ALL is asked
    then."""
    add, invoke, invoke_in_time = sfn._add_event, sfn._invoke_resource, sfn._invoke_resource_with_timeout

    def check(data, what):
        size = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
        if size > LARGEST:
            message = f"The {what} has a size exceeding the maximum number of bytes service limit."
            raise sfn._ExecutionError(TOO_LARGE, message)

    def add_checked(execution, kind, details=None):
        for part in (details or {}).values():
            for key in ("input", "output"):
                if isinstance(part, dict) and len(part.get(key) or "") > LARGEST:
                    check(json.loads(part[key]), f"{key} of {part.get('name', kind)}")
        return add(execution, kind, details)

    def invoke_checked(resource, data):
        check(data, f"input of {resource}")
        return invoke(resource, data)

    def invoke_in_time_checked(resource, data, timeout):
        check(data, f"input of {resource}")
        return invoke_in_time(resource, data, timeout)

    def named_only(find):
        def amended(handlers, error, *more):
            if error == TOO_LARGE:
                handlers = [handler for handler in handlers if TOO_LARGE in handler.get("ErrorEquals", [])]
            return find(handlers, error, *more)

        return amended

    sfn._add_event, sfn._invoke_resource = add_checked, invoke_checked
    sfn._invoke_resource_with_timeout = invoke_in_time_checked
    sfn._find_matching_retrier = named_only(sfn._find_matching_retrier)
    sfn._find_matching_catcher = named_only(sfn._find_matching_catcher)


def name_refusals(sfn):
    """Gives Lambda's refusal for too many concurrent executions its name; the emulator calls it Lambda.Unknown."""
    call = sfn._call_lambda

    def amended(function, event):
        try:
            return call(function, event)
        except sfn._ExecutionError as error:
            if '"__type": "TooManyRequestsException"' in error.cause:
                message = json.loads(error.cause)["message"]
                raise sfn._ExecutionError("Lambda.TooManyRequestsException", message) from error
            raise

    sfn._call_lambda = amended


def fail_functions(sfn, path):
    """Lets invocations fail as a file of faults says: each names a function, an error, how many invocations, and whether the
    function has done its work by then."""
    call, lock, struck = sfn._call_lambda, threading.Lock(), {}

    def fault_of(function):
        name = sfn._resolve_lambda_function_name(function, True)
        with lock:
            try:
                with open(path, encoding="utf-8") as file:
                    faults = json.load(file)
            except FileNotFoundError:
                return None
            for fault in faults:
                if fault["function"] == name and struck.get(fault["id"], 0) < fault["times"]:
                    struck[fault["id"]] = struck.get(fault["id"], 0) + 1
                    return fault
        return None

    def amended(function, event):
        fault = fault_of(function)
        if fault is None:
            return call(function, event)
        if fault["after"]:
            call(function, event)
        message = {"errorType": fault["error"], "errorMessage": fault["message"]}
        raise sfn._ExecutionError(fault["error"], json.dumps(message))

    sfn._call_lambda = amended


def list_of_known(sfn):
    """Refuses to list the executions of a machine that is not there, as of another region; the emulator lists none."""
    executions = sfn._list_executions

    def amended(data):
        machine = data.get("stateMachineArn")
        if machine and sfn._resolve_state_machine_arn(machine) not in sfn._state_machines:
            return error_response_json("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{machine}'", 400)
        return executions(data)

    sfn._list_executions = amended


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
