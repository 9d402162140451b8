//! Why a task stopped, in the words of ECS and its agent.

use skydeck_core::rollout::stop::{Kind, Told, known_line};

const ELB: &str = "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-west-2:123456789012:targetgroup/backend/a6d71c9b9c18b389)";
const PLATFORM: &str = "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not \
                        contain descriptor matching platform 'linux/arm64'";
const SECRET: &str = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: \
                      unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid parameters: \
                      /skyfox-backend/jwt-secret";

const COMMAND: &str = "CannotStartContainerError: Error response from daemon: failed to create task for container: OCI runtime create \
                 failed: runc create failed: unable to start container process: exec: \"/app\": permission denied: unknown";

fn told<'a>(code: &'a str, reason: &'a str, container: &'a str, exit: Option<i32>) -> Told<'a> {
    Told { code, reason, container, exit, log: "" }
}

#[test]
fn each_of_awss_texts_is_somebodys_fault() {
    let exited = ("EssentialContainerExited", "Essential container in task exited");
    let scheduler = "ServiceSchedulerInitiated";
    let start = "TaskFailedToStart";
    let table = [
        (Kind::Exit, told(exited.0, exited.1, "", Some(1))),
        (Kind::Exit, told(exited.0, exited.1, "", Some(0))),
        (Kind::Exit, told(exited.0, exited.1, "OutOfMemoryError: Container killed due to memory usage", Some(137))),
        (Kind::Exit, told("", "", "OutOfMemoryError: Container killed due to memory usage", None)),
        (Kind::Health, told(scheduler, ELB, "", Some(137))),
        (Kind::Check, told(scheduler, "Task failed container health checks", "", Some(143))),
        (Kind::NeverRuns, told(start, PLATFORM, "", None)),
        (Kind::NeverRuns, told(start, "Task failed to start", PLATFORM, None)),
        (
            Kind::NeverRuns,
            told(start, "CannotPullContainerError: failed to find a descriptor for platform {linux/arm64}", "", None),
        ),
        (
            Kind::NeverRuns,
            told(
                start,
                "CannotPullContainerError: Error response from daemon: no matching manifest for linux/arm64/v8 in the manifest list entries",
                "",
                None,
            ),
        ),
        (Kind::NeverRuns, told(exited.0, exited.1, "exec /app: exec format error", Some(255))),
        (Kind::NeverRuns, told(start, "Task failed to start", COMMAND, Some(126))),
        (Kind::Platform, told(start, SECRET, "", None)),
        (
            Kind::Platform,
            told(
                start,
                "CannotPullContainerError: failed to register layer: write /tmp/file: no space left on device",
                "",
                None,
            ),
        ),
        (Kind::Platform, told(start, "CannotCreateContainerError: API error (500): devmapper", "", None)),
        (
            Kind::Platform,
            told(
                start,
                "Task failed to start",
                "CannotStartContainerError: Error response from daemon: port is already allocated",
                None,
            ),
        ),
        (
            Kind::Meant,
            told(scheduler, "Scaling activity initiated by (deployment ecs-svc/8646900195280463695)", "", Some(143)),
        ),
        (Kind::Meant, told(scheduler, "", "", Some(137))),
        (Kind::Meant, told("TerminationNotice", "Host EC2 (instance i-03dba81187d65ce7e) terminated.", "", None)),
        (Kind::Meant, told("", "Host EC2 (instance i-06aab15feb4568492) stopped.", "", Some(137))),
        (Kind::Meant, told("UserInitiated", "Task stopped by user", "", Some(137))),
        (Kind::Meant, told("", "Container instance deregistration forced by user", "", Some(137))),
        (Kind::Meant, told("SpotInterruption", "Your Spot Task was interrupted.", "", Some(143))),
        (Kind::Meant, told("", "", "", None)),
    ];
    for (kind, told) in table {
        assert_eq!(told.kind(), kind, "{told:?}");
    }
}

#[test]
fn what_happened_is_told_once_with_the_exit_code() {
    let exited = told("EssentialContainerExited", "Essential container in task exited", "", Some(1));
    assert_eq!(exited.words(), "Essential container in task exited, exit code 1");
    let memory = Told { container: "OutOfMemoryError: Container killed due to memory usage.", ..exited };
    assert_eq!(
        memory.words(),
        "Essential container in task exited, exit code 1: OutOfMemoryError: Container killed due to memory usage"
    );
    let twice = told("TaskFailedToStart", "CannotPullContainerError: no.", "CannotPullContainerError: no", None);
    assert_eq!(twice.words(), "CannotPullContainerError: no");
    assert_eq!(told("", "", "gone.", None).words(), "gone");
}

#[test]
fn a_program_for_another_processor_is_known_by_its_log_alone() {
    for line in [
        "standard_init_linux.go:228: exec user process caused: exec format error\n",
        "standard_init_linux.go:211: exec user process caused \"exec format error\"",
    ] {
        assert_eq!(known_line(["hello", line].into_iter()), Some("exec format error"));
    }
    let lines = ["exec /usr/local/bin/docker-entrypoint.sh: exec format error", "bye"];
    let log = known_line(lines.into_iter()).unwrap();
    let exited = Told { log, ..told("EssentialContainerExited", "Essential container in task exited", "", Some(255)) };
    assert_eq!(exited.kind(), Kind::NeverRuns);
    let words = "Essential container in task exited, exit code 255: its log says `exec format error`";
    assert_eq!(exited.words(), words);
    // What a program says itself is no such line, and may be a secret.
    for own in ["password: exec format error?", "user=a password=b", ""] {
        assert_eq!(known_line([own].into_iter()), None, "{own}");
    }
}
