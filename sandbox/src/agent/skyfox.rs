//! What SkyFox's own services answer, for images that do not say it themselves.

use std::collections::HashMap;

use hyper::Method;
use serde_json::{Value, json};

/// What a program decides to answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Json(u16, Value),
    /// A redirect.
    Moved(u16, String),
    /// The answer of another service; `key` names the variable that holds its API key.
    Fetch {
        url: String,
        method: String,
        key: Option<String>,
    },
}

/// The programs of an image that does not say which it has: SkyFox's own are Alpine's, with BusyBox; any other has its server alone.
pub(super) fn programs(repository: &str) -> &'static str {
    let own = ["payment-service", "movie-service", "backend"];
    if own.iter().any(|name| repository.ends_with(name)) { "sh wget true false" } else { "" }
}

/// By the repository's name: payment, movie, backend, or anything else, which answers every path.
pub(super) fn reply(
    repository: &str,
    method: &Method,
    path: &str,
    key: Option<&str>,
    environment: &HashMap<String, String>,
) -> Reply {
    let health = || {
        Reply::Json(200, json!({ "status": "healthy", "version": version(environment), "timestamp": "{timestamp}" }))
    };
    let missing = || Reply::Json(404, json!({ "error": "not found" }));
    let admitted = environment.get("API_KEY").is_none_or(|expected| key == Some(expected.as_str()));
    let guarded = |value: Value| {
        if admitted { Reply::Json(200, value) } else { Reply::Json(401, json!({ "error": "unauthorized" })) }
    };
    if repository.ends_with("payment-service") {
        return match (method, path) {
            (_, "/pshealth" | "/payment-service/pshealth") => health(),
            (&Method::POST, "/payment-service/payment") => guarded(json!({ "statusCode": "SUCCESS", "uniqueId": "1" })),
            _ => missing(),
        };
    }
    if repository.ends_with("movie-service") {
        let movies = [("1", "The Fox"), ("2", "Skies")].map(|(id, title)| json!({ "id": id, "title": title }));
        return match (method, path) {
            (_, "/mshealth" | "/movie-service/mshealth") => health(),
            (&Method::GET, "/movie-service/movies") => guarded(json!(movies)),
            (&Method::GET, _) if path.starts_with("/movie-service/movies/") => {
                let id = path.strip_prefix("/movie-service/movies/");
                let found = movies.iter().find(|movie| movie["id"].as_str() == id);
                // Who has no key does not learn which there are.
                if admitted && found.is_none() { missing() } else { guarded(json!(found)) }
            }
            _ => missing(),
        };
    }
    if repository.ends_with("backend") {
        let fetch = |url: &str, method: &str, key: &str| Reply::Fetch {
            url: url.to_owned(),
            method: method.to_owned(),
            key: Some(key.to_owned()),
        };
        return match (method, path) {
            (_, "/health") => health(),
            (&Method::GET, "/movies") => fetch("${MOVIE_SERVICE_URL}/movies", "GET", "MOVIE_SERVICE_API_KEY"),
            (&Method::POST, "/payment") => fetch("${PAYMENT_GATEWAY_URL}/payment", "POST", "PAYMENT_GATEWAY_API_KEY"),
            _ => missing(),
        };
    }
    Reply::Json(200, json!({ "status": "healthy", "version": version(environment), "path": path }))
}

fn version(environment: &HashMap<String, String>) -> &str {
    environment.get("APP_VERSION").map_or("dev", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_services_answer_as_their_source_does() {
        let status = |repository: &str, method: Method, path: &str, key: Option<&str>| {
            let environment = HashMap::from([("API_KEY".to_owned(), "k".to_owned())]);
            match reply(repository, &method, path, key, &environment) {
                Reply::Json(status, _) => status,
                Reply::Fetch { .. } | Reply::Moved(..) => 0,
            }
        };
        for path in ["/pshealth", "/payment-service/pshealth"] {
            assert_eq!(status("skyfox-devprod-payment-service", Method::GET, path, None), 200);
        }
        assert_eq!(status("x-payment-service", Method::POST, "/payment-service/payment", None), 401);
        assert_eq!(status("x-payment-service", Method::POST, "/payment-service/payment", Some("k")), 200);
        assert_eq!(status("x-movie-service", Method::GET, "/movie-service/mshealth", None), 200);
        assert_eq!(status("x-movie-service", Method::GET, "/movie-service/movies/2", Some("k")), 200);
        assert_eq!(status("x-movie-service", Method::GET, "/movie-service/movies/9", Some("k")), 404);
        assert_eq!(status("x-movie-service", Method::GET, "/movie-service/movies/9", None), 401);
        assert_eq!(status("x-backend", Method::GET, "/health", None), 200);
        assert_eq!(status("x-backend", Method::GET, "/movies", None), 0);
        assert_eq!(status("x-backend", Method::GET, "/other", None), 404);
        assert_eq!(status("else", Method::GET, "/whatever", None), 200);
    }
}
