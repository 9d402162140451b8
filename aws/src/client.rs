//! The SDK clients, made once per function, and the count of the calls that they make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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

/// Clients of every service that skydeck calls, sharing one HTTP client.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The region that the clients call.
    pub region: String,
    /// Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// ECR.
    pub ecr: aws_sdk_ecr::Client,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Load Balancing.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Systems Manager.
    pub ssm: aws_sdk_ssm::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
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
        let config = &config.clone().into_builder().retry_config(retries()).timeout_config(timeouts()).build();
        // Buckets are asked for by path where an endpoint is given: an emulator has no DNS name per bucket.
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
        Clients {
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            ecr: aws_sdk_ecr::Client::new(config),
            ecs: aws_sdk_ecs::Client::new(config),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sfn: aws_sdk_sfn::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            ssm: aws_sdk_ssm::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            calls,
        }
    }

    /// How many requests these clients have sent so far, retries included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.0.load(Ordering::Relaxed)
    }
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
