"""Lets EventBridge and Scheduler deliver as AWS does: roles are asked, dead letters kept, and the clock is the sandbox's.

What AWS's own services tell, the sandbox delivers by an action of its own, since clients may not (see `tell.py`)."""

import json
import os
import threading

from ministack.core.arn import ArnParseError, parse_arn
from ministack.core.iam_evaluator import EvalContext, _gather_role_policies, _service_principal_matches, evaluate
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response

# The emulator looks every ten seconds which schedules are due.
TICK, SHORTEST_TICK = 10, 0.05


def amend(eventbridge, scheduler, stepfunctions, sqs, iam):
    run_by_the_clock(eventbridge, scheduler)
    take_own_actions(eventbridge, scheduler)
    refuse(eventbridge)
    ask_before_delivery(eventbridge, Delivery(eventbridge, stepfunctions, sqs, iam))


def run_by_the_clock(eventbridge, scheduler):
    """Lets rates pass as fast as the sandbox's clock; cron expressions and fixed times stay by the calendar."""
    scale, parse = float(os.environ["SFN_WAIT_SCALE"]), eventbridge._parse_rate_seconds

    def scaled(expression):
        seconds = parse(expression)
        return None if seconds is None else seconds * scale

    eventbridge._parse_rate_seconds = scaled
    def one_at_a_time(tick):
        # Made due by hand, a schedule would else be seen as due by the emulator's own thread too.
        lock = threading.Lock()

        def amended():
            with lock:
                tick()

        return amended

    eventbridge._tick_scheduled_rules = one_at_a_time(eventbridge._tick_scheduled_rules)
    scheduler._tick_schedules = one_at_a_time(scheduler._tick_schedules)
    eventbridge._SCHEDULER_TICK_INTERVAL = scheduler._SCHEDULE_TICK_INTERVAL = max(TICK * scale, SHORTEST_TICK)


def take_own_actions(eventbridge, scheduler):
    """Adds the sandbox's own two: `SandboxEmit` delivers an event of AWS's, `SandboxFire` makes a schedule due."""
    handle = eventbridge.handle_request

    def emit(event):
        record = {
            "EventId": event["id"],
            "Source": event["source"],
            "DetailType": event["detail-type"],
            "Detail": json.dumps(event["detail"]),
            "EventBusName": "default",
            "Time": event["time"],
            "Resources": event["resources"],
            "Account": event["account"],
            "Region": event["region"],
        }
        view = eventbridge._pattern_event_view(record)
        eventbridge._dispatch_event(record, view)
        eventbridge._archive_event(record, view)
        return json_response({})

    def fire(request):
        name, place = request["Name"], (get_account_id(), get_region())
        rule, schedule = eventbridge._rule_key(name, "default"), f"default/{name}"
        found = eventbridge._rules.get(rule) or scheduler._schedules.get(schedule) or {}
        if found.get("ScheduleExpression") and found["State"] != "ENABLED":
            return error_response_json("ValidationException", f"The schedule {name} is not enabled.", 400)
        if eventbridge._rules.get(rule, {}).get("ScheduleExpression"):
            eventbridge._rule_last_fired[(*place, rule)] = 0
            eventbridge._tick_scheduled_rules()
        elif schedule in scheduler._schedules:
            scheduler._schedule_last_fired[(*place, schedule)] = 0
            scheduler._tick_schedules()
        else:
            return error_response_json("ResourceNotFoundException", f"There is no schedule {name}.", 400)
        return json_response({})

    async def amended(method, path, headers, body, query):
        action = headers.get("x-amz-target", "").rpartition(".")[2]
        own = {"SandboxEmit": emit, "SandboxFire": fire}.get(action)
        if own is None:
            return await handle(method, path, headers, body, query)
        eventbridge._ensure_default_bus()
        return own(json.loads(body))

    eventbridge.handle_request = amended


def refuse(eventbridge):
    """Refuses what the emulator accepts and AWS refuses."""
    delete, validate = eventbridge._delete_rule, eventbridge._validate_target_arn

    def delete_rule(data):
        key = eventbridge._rule_key(data.get("Name"), data.get("EventBusName", "default"))
        if eventbridge._targets.get(key):
            return error_response_json("ValidationException", "Rule can't be deleted since it has targets.", 400)
        return delete(data)

    def validate_target(target):
        if ":states:" in target.get("Arn", "") and not target.get("RoleArn"):
            message = f"RoleArn is required for target {target['Arn']}."
            return error_response_json("ValidationException", message, 400)
        return validate(target)

    def of_known_rule(act, key):
        def amended(data):
            name, bus = data.get(key), data.get("EventBusName", "default")
            if eventbridge._rule_key(name, bus) not in eventbridge._rules:
                message = f"Rule {name} does not exist on EventBus {bus}."
                return error_response_json("ResourceNotFoundException", message, 400)
            return act(data)

        return amended

    eventbridge._delete_rule, eventbridge._validate_target_arn = delete_rule, validate_target
    eventbridge._remove_targets = of_known_rule(eventbridge._remove_targets, "Rule")
    eventbridge._list_targets_by_rule = of_known_rule(eventbridge._list_targets_by_rule, "Rule")


class Delivery:
    """Says why a target cannot be reached, and keeps what could not be delivered."""

    def __init__(self, eventbridge, stepfunctions, sqs, iam):
        self.eventbridge, self.stepfunctions, self.sqs, self.iam = eventbridge, stepfunctions, sqs, iam

    def obstacle(self, target, rule, service):
        try:
            arn = parse_arn(target.get("Arn", ""))
        except ArnParseError:
            return None
        if arn.service == "states":
            if self.stepfunctions._resolve_state_machine_arn(str(arn)) is None:
                return "SDK_CLIENT_ERROR", f"State Machine Does Not Exist: '{arn}'"
            return self.forbidden(target.get("RoleArn", ""), "states:StartExecution", str(arn), service)
        if arn.service == "sqs":
            if self.sqs._queue_by_arn(str(arn)) is None:
                return "SDK_CLIENT_ERROR", "The specified queue does not exist."
            if service == "scheduler.amazonaws.com":
                # It sends by its role alone.
                return self.forbidden(target.get("RoleArn", ""), "sqs:SendMessage", str(arn), service)
            if not self.may_send(str(arn), rule):
                return "NO_PERMISSIONS", f"{service} is not authorized to perform: sqs:SendMessage on resource: {arn}"
        return None

    def forbidden(self, role_arn, action, resource, service):
        account, name = get_account_id(), role_arn.rpartition("/")[2]
        role = self.iam._roles.get_scoped(account, None, name)
        trust = json.loads((role or {}).get("AssumeRolePolicyDocument") or "{}").get("Statement", [])
        if not any(_service_principal_matches(statement.get("Principal"), service) for statement in trust):
            return "NO_PERMISSIONS", f"{service} cannot assume the role {role_arn}"
        who = f"arn:aws:sts::{account}:assumed-role/{name}/events"
        context = EvalContext(
            principal_arn=who,
            principal_type="AssumedRole",
            principal_account=account,
            action=action,
            resource_arn=resource,
            region=get_region(),
        )
        if evaluate(context, _gather_role_policies(name, account)).decision != "Allow":
            return "NO_PERMISSIONS", f"User: {who} is not authorized to perform: {action} on resource: {resource}"
        return None

    def may_send(self, queue, rule):
        return self.sqs.queue_policy_allows(queue, "events.amazonaws.com", rule.get("Arn", ""), get_account_id())

    def keep(self, target, event, rule, view, obstacle):
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        found = queue and self.sqs._queue_by_arn(queue)
        if not found or not self.may_send(queue, rule):
            return
        view = view or self.eventbridge._pattern_event_view(event)
        self.eventbridge._dispatch_to_sqs(parse_arn(queue), json.dumps(view.event_with_detail()))
        code, message = obstacle
        found["messages"][-1]["message_attributes"] = {
            key: {"DataType": "String", "StringValue": value}
            for key, value in {
                "RULE_ARN": rule.get("Arn", ""),
                "TARGET_ARN": target.get("Arn", ""),
                "ERROR_CODE": code,
                "ERROR_MESSAGE": message,
            }.items()
        }


def ask_before_delivery(eventbridge, delivery):
    invoke = eventbridge._invoke_target

    def amended(target, event, rule, view=None):
        service = "scheduler" if event.get("Source") == "aws.scheduler" else "events"
        obstacle = delivery.obstacle(target, rule, f"{service}.amazonaws.com")
        if obstacle is None:
            invoke(target, event, rule, view)
        else:
            delivery.keep(target, event, rule, view, obstacle)

    eventbridge._invoke_target = amended
