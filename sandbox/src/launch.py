"""Starts the emulator so that it cannot outlive the sandbox, and gives it the facts of AWS that it lacks."""

import json
import os
import signal
import sys
import threading
import time


# The first line is this run's secret: what stands in the environment reaches the functions.
SECRET = sys.stdin.buffer.readline().strip()


def end_with_parent():
    # Standard input is a pipe that the sandbox holds open: its end is the sandbox's end, however that came about.
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True).start()


def amend_service_linked_roles(iam):
    """Gives these roles their names on AWS, which are not the service's name with a capital letter."""
    names = {
        "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
        "ecs.amazonaws.com": "AWSServiceRoleForECS",
        "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    }
    create = iam._IAM_HANDLERS["CreateServiceLinkedRole"]

    def amended(params):
        service = iam._p(params, "AWSServiceName")
        name = names.get(service)
        if name is None:
            return create(params)
        if name in iam._roles:
            message = f"Service role name {name} has been taken in this account, please try a different suffix."
            return iam._error(400, "InvalidInput", message, ns="iam")
        status, headers, body = create(params)
        given = f"AWSServiceRoleFor{service.split('.')[0].capitalize()}"
        role = iam._roles.pop(given)
        role.update(RoleName=name, Arn=role["Arn"].replace(given, name))
        iam._roles[name] = role
        return status, headers, body.replace(given.encode(), name.encode())

    iam._IAM_HANDLERS["CreateServiceLinkedRole"] = amended


def tell_states_of_branches(sfn):
    """Puts the states inside a Parallel or Map into the execution's history, as AWS does, where the emulator leaves them out."""
    thread = threading.local()
    run_branch, run_task = sfn._run_sub_machine, sfn._execute_task

    def branch(*arguments):
        # Each branch has a thread of its own.
        thread.in_branch = True
        try:
            return run_branch(*arguments)
        finally:
            thread.in_branch = False

    def task(state, given, execution, context):
        if not getattr(thread, "in_branch", False):
            return run_task(state, given, execution, context)
        name = context["State"]["Name"]
        entered = {"name": name, "input": json.dumps(given)}
        sfn._add_event(execution, "TaskStateEntered", {"stateEnteredEventDetails": entered})
        result = run_task(state, given, execution, context)
        exited = {"name": name, "output": json.dumps(result[0])}
        sfn._add_event(execution, "TaskStateExited", {"stateExitedEventDetails": exited})
        return result

    sfn._run_sub_machine, sfn._execute_task = branch, task


def link_events(sfn):
    """Says of each event which one it follows from, as AWS does: in a branch the branch's own."""
    thread = threading.local()
    add_event, run_branch = sfn._add_event, sfn._run_sub_machine

    def add(execution, kind, details=None):
        last = thread.__dict__.setdefault("last", {})
        event = add_event(execution, kind, details)
        event["previousEventId"] = last.get(execution["executionArn"], 0)
        last[execution["executionArn"]] = event["id"]
        return event

    def branch(states, start_at, given, execution, context):
        # A branch has a thread of its own, and follows from the state that it is a branch of.
        entered = [e["id"] for e in execution["events"] if e["type"] in ("ParallelStateEntered", "MapStateEntered")]
        thread.__dict__.setdefault("last", {})[execution["executionArn"]] = entered[-1] if entered else 0
        return run_branch(states, start_at, given, execution, context)

    sfn._add_event, sfn._run_sub_machine = add, branch


def let_the_past_be_longer(sfn):
    """Tells an execution's end as long ago as it would be had all the time since passed at the sandbox's speed: functions
    compare it with the machine's own clock."""
    describe, scale = sfn._describe_execution, float(os.environ.get("SFN_WAIT_SCALE", "1"))

    def amended(data):
        status, headers, body = describe(data)
        answer = json.loads(body)
        if status != 200 or not answer.get("stopDate") or scale <= 0:
            return status, headers, body
        ended = sfn._timestamp_response_value(answer["stopDate"])
        now = time.time()
        answer["stopDate"] = now - (now - ended) / scale
        return sfn.json_response(answer)

    sfn._describe_execution = amended


def place_load_balancers(alb, ec2):
    """Puts a load balancer into the VPC of its subnets; the emulator says of each that it lies in the default VPC."""
    create = alb._ACTION_MAP["CreateLoadBalancer"]

    def amended(params):
        found = [ec2._subnets.get(subnet) for subnet in alb._parse_member_list(params, "Subnets")[:1]]
        vpc = {"VpcId": [found[0]["VpcId"]]} if found and found[0] else {}
        return create({**params, **vpc})

    alb._ACTION_MAP["CreateLoadBalancer"] = amended


def take_transport_for_tls(app):
    """Lets policies see TLS, which clients of AWS speak and clients of the sandbox do not."""
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: pin(address, True)


def give_functions_a_proxy(runtime, service):
    """Each function reaches load balancers through the gateway, under its own name: what it may reach depends on its VPC."""
    host = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    credentials = runtime.execution_credentials

    def amended(config):
        # Some clients name no user who has no password.
        proxy = f"http://{config['FunctionName']}:none@{host}"
        names = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
        return {**credentials(config), **dict.fromkeys(names, proxy)}

    runtime.execution_credentials = service.execution_credentials = amended


def name_versioning(responses):
    """Gives the answer of GetBucketVersioning the element that AWS gives it; moto names it after the action."""
    get = responses.get_bucket_versioning

    def amended(self):
        status, headers, body = get(self)
        return status, headers, body.replace("GetBucketVersioningResponse", "VersioningConfiguration")

    responses.get_bucket_versioning = amended


def take_sizes_from_images(instance):
    """Makes a volume as large as the image's where a launch template says no size, as AWS does; moto asks for one."""
    add = instance.add_block_device

    def amended(self, size, device_path, snapshot_id, *rest, **named):
        of_the_image = None if snapshot_id else 8
        return add(self, size or of_the_image, device_path, snapshot_id, *rest, **named)

    instance.add_block_device = amended


def follow_public_parameters(ssm, path):
    """AWS moves its public parameters, and so does who writes the file of facts anew."""
    known = ssm._public_parameter

    def public_parameter(name):
        with open(path, encoding="utf-8") as file:
            ssm._PUBLIC_AMI_PARAMETERS.update(json.load(file)["parameters"])
        return known(name)

    ssm._public_parameter = public_parameter


def filter_parameters_by_tag(ssm):
    """The emulator takes no notice of a filter by tag."""
    known = ssm._apply_filter

    def apply_filter(param, key, option, values):
        kind, _, tag = key.partition(":")
        if kind != "tag":
            return known(param, key, option, values)
        tags = ssm._tags.get(ssm._parameter_tag_arn("Parameter", param["Name"]), {})
        return tag in tags and (not values or tags[tag] in values)

    ssm._apply_filter = apply_filter


if sys.argv[1] == "moto":
    from moto.ec2.models.instances import Instance
    from moto.s3.responses import S3Response
    from moto.server import main

    name_versioning(S3Response)
    take_sizes_from_images(Instance)
    main(["-H", "127.0.0.1", "-p", sys.argv[2]])
else:
    import amend_ecr
    import amend_events
    import amend_iam
    import amend_states
    import amend_tags
    import guard
    import refuse_ec2
    import refuse_elb
    import tell
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator, lambda_runtime
    from ministack.services import acm, alb, cloudwatch_logs, ec2, ecr, eventbridge, iam, lambda_svc, scheduler, sqs, ssm, stepfunctions

    facts_path = sys.argv[2]
    with open(facts_path, encoding="utf-8") as file:
        facts = json.load(file)
    follow_public_parameters(ssm, facts_path)
    filter_parameters_by_tag(ssm)
    for name, document in facts["policies"].items():
        arn = iam._AWS_MANAGED_POLICY_PREFIX + name
        iam._aws_managed_policies.setdefault(arn, iam._make_aws_managed_record(name, json.dumps(document)))
    amend_service_linked_roles(iam)
    tell_states_of_branches(stepfunctions)
    link_events(stepfunctions)
    let_the_past_be_longer(stepfunctions)
    interfaces = refuse_ec2.Interfaces(ec2, alb, lambda_svc, iam)
    refuse_ec2.show_interfaces(ec2, interfaces)
    refuse_ec2.offer_types(ec2, sys.argv[2])
    refuse_ec2.refuse(ec2, iam, interfaces)
    refuse_elb.refuse(alb, ec2, acm)
    place_load_balancers(alb, ec2)
    take_transport_for_tls(app)
    tags = amend_tags.Tags(ec2, alb, ecr, cloudwatch_logs)
    amend_iam.amend(iam_actions, iam_evaluator, iam, ec2, tags, os.path.join(os.path.dirname(facts_path), "asked.tsv"))
    guard.guard(app, SECRET)
    # After their keys.
    give_functions_a_proxy(lambda_runtime, lambda_svc)
    amend_states.amend(stepfunctions, os.path.join(os.path.dirname(facts_path), "function-faults.json"))
    amend_ecr.amend(ecr)
    amend_events.amend(eventbridge, scheduler, stepfunctions, sqs, iam)
    # After the amendments: it tells what has really happened.
    tell.tell(ecr, ssm)
    # app.main() reads its own arguments.
    sys.argv = ["ministack"]
    app.main()
