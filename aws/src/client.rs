//! The SDK clients, made once per function, and the count of the calls that they make.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, ConfigLoader, SdkConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Clients of the services that skydeck calls, sharing one HTTP client. Each is made when it is first asked for, so that a
/// program holds the code of the services that it calls, and of no other.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The region that the clients call.
    pub region: String,
    config: SdkConfig,
    autoscaling: OnceLock<aws_sdk_autoscaling::Client>,
    ec2: OnceLock<aws_sdk_ec2::Client>,
    ecr: OnceLock<aws_sdk_ecr::Client>,
    ecs: OnceLock<aws_sdk_ecs::Client>,
    elb: OnceLock<aws_sdk_elasticloadbalancingv2::Client>,
    events: OnceLock<aws_sdk_eventbridge::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    lambda: OnceLock<aws_sdk_lambda::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    sfn: OnceLock<aws_sdk_sfn::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    calls: Calls,
}

impl Clients {
    /// Clients as the environment says: credentials, region, `AWS_ENDPOINT_URL`, proxies. `app` stands in the user
    /// agent of every call, so that CloudTrail tells skydeck's functions apart.
    pub async fn from_env(app: &'static str) -> Self {
        Self::load(aws_config::defaults(BehaviorVersion::latest()), app).await
    }

    /// Clients by a configuration that the caller has begun, such as one with credentials of its own.
    pub async fn load(config: ConfigLoader, app: &'static str) -> Self {
        let calls = Calls::default();
        let mut config = config.http_client(CountingClient { inner: http_client(), calls: calls.clone() });
        if let Ok(name) = AppName::new(app) {
            config = config.app_name(name);
        }
        Self::new(&config.load().await, calls)
    }

    fn new(config: &SdkConfig, calls: Calls) -> Self {
        Clients {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            config: config.clone().into_builder().retry_config(retries()).timeout_config(timeouts()).build(),
            autoscaling: OnceLock::new(),
            ec2: OnceLock::new(),
            ecr: OnceLock::new(),
            ecs: OnceLock::new(),
            elb: OnceLock::new(),
            events: OnceLock::new(),
            iam: OnceLock::new(),
            lambda: OnceLock::new(),
            logs: OnceLock::new(),
            s3: OnceLock::new(),
            sfn: OnceLock::new(),
            sqs: OnceLock::new(),
            ssm: OnceLock::new(),
            sts: OnceLock::new(),
            calls,
        }
    }

    /// The client of S3. Buckets are asked for by path where an endpoint is given: an emulator has no DNS name per bucket.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.config);
            let config = config.force_path_style(self.config.endpoint_url().is_some());
            aws_sdk_s3::Client::from_conf(config.build())
        })
    }

    /// How many requests these clients have sent so far, retries included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.0.load(Ordering::Relaxed)
    }
}

/// A method for each service, which makes its client once.
macro_rules! clients {
    ($($name:ident: $sdk:ident, $service:literal;)*) => {
        impl Clients {
            $(
                #[doc = concat!("The client of ", $service, ".")]
                pub fn $name(&self) -> &$sdk::Client {
                    self.$name.get_or_init(|| $sdk::Client::new(&self.config))
                }
            )*
        }
    };
}

clients! {
    autoscaling: aws_sdk_autoscaling, "Auto Scaling";
    ec2: aws_sdk_ec2, "EC2";
    ecr: aws_sdk_ecr, "ECR";
    ecs: aws_sdk_ecs, "ECS";
    elb: aws_sdk_elasticloadbalancingv2, "Elastic Load Balancing";
    events: aws_sdk_eventbridge, "EventBridge";
    iam: aws_sdk_iam, "IAM";
    lambda: aws_sdk_lambda, "Lambda";
    logs: aws_sdk_cloudwatchlogs, "CloudWatch Logs";
    sfn: aws_sdk_sfn, "Step Functions";
    sqs: aws_sdk_sqs, "SQS";
    ssm: aws_sdk_ssm, "Systems Manager";
    sts: aws_sdk_sts, "STS";
}

/// Three attempts, backing off from a tenth of a second: throttling that lasts longer is the state machine's to wait for.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(100))
}

/// For creations that have neither a client token nor a name guard: a retry after a lost answer would make a second
/// one, so the next invocation observes first.
#[must_use]
pub fn no_retries() -> RetryConfig {
    RetryConfig::disabled()
}

/// A function has 60 s; a call that hangs must leave time for a retry and a report.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(3))
        .operation_attempt_timeout(Duration::from_secs(15))
        .operation_timeout(Duration::from_secs(40))
        .build()
}

#[derive(Debug, Clone, Default)]
struct Calls(Arc<AtomicU64>);

/// Counts each request that passes, whichever service's client sends it.
#[derive(Debug)]
struct CountingClient {
    inner: SharedHttpClient,
    calls: Calls,
}

impl HttpClient for CountingClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector { inner, calls: self.calls.clone() })
    }
}

#[derive(Debug)]
struct CountingConnector {
    inner: SharedHttpConnector,
    calls: Calls,
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.calls.0.fetch_add(1, Ordering::Relaxed);
        self.inner.call(request)
    }
}

fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
