"""Starts the emulator so that it cannot outlive the sandbox, and gives it the facts of AWS that it lacks."""

import json
import os
import signal
import sys
import threading


def end_with_parent():
    # Standard input is a pipe that the sandbox holds open: its end is the sandbox's end, however that came about.
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True).start()

if sys.argv[1] == "moto":
    from moto.server import main

    main(["-H", "127.0.0.1", "-p", sys.argv[2]])
else:
    from ministack import app
    from ministack.services import iam, ssm

    with open(sys.argv[2], encoding="utf-8") as file:
        facts = json.load(file)
    ssm._PUBLIC_AMI_PARAMETERS.update(facts["parameters"])
    for name, document in facts["policies"].items():
        arn = iam._AWS_MANAGED_POLICY_PREFIX + name
        iam._aws_managed_policies.setdefault(arn, iam._make_aws_managed_record(name, json.dumps(document)))
    # app.main() reads its own arguments.
    sys.argv = ["ministack"]
    app.main()
