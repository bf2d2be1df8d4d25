//! Whatever a service says of the secret that it was sent, none of it comes out of a target.

use highwater::plan::TargetPlan;
use highwater::service::{AsrTarget, OpenAiTarget, Target};

use super::mini::{Mini, Reply};
use super::{asr, http, input, perform_http};

/// The environment variable that the tests read: cargo always sets it.
const VARIABLE: &str = "CARGO_MANIFEST_DIR";

/// A service that answers with these, what follows `submit` first; `SECRET` stands for what it was sent.
async fn service(submit: (u16, &'static str), result: (u16, &'static str)) -> Mini {
    Mini::start(move |asked| {
        let (status, body) = if asked.path.contains("/result/") { result } else { submit };
        let secret = asked.header("authorization").unwrap().strip_prefix("Bearer ").unwrap().to_string();
        async move { Reply { status, body: body.replace("SECRET", &secret), close: true } }
    })
    .await
}

fn with_secret(mut plan: TargetPlan) -> TargetPlan {
    plan.auth_env = VARIABLE.to_string();
    plan
}

#[tokio::test]
async fn no_word_of_a_service_brings_the_secret_out() {
    let secret = std::env::var(VARIABLE).unwrap();
    let good = (200, r#"{"task_id": "t1"}"#);
    for (submit, result) in [
        ((401, "bad key SECRET"), good),
        ((200, r#"{"no_id": "SECRET"}"#), good),
        (good, (500, "bad key SECRET")),
        (good, (200, r#"{"no_status": "SECRET"}"#)),
        (good, (200, r#"{"status": "SECRET"}"#)),
        (good, (200, r#"{"status": "failed", "error": "bad key SECRET"}"#)),
        (good, (200, r#"{"status": "failed", "error": {"key": "SECRET"}}"#)),
        ((200, r#"{"task_id": "SECRET"}"#), (200, r#"{"status": "done"}"#)),
    ] {
        let service = service(submit, result).await;
        let ended =
            AsrTarget::of_plan(&with_secret(asr(&service.url))).unwrap().perform(&input(vec![1])).await;
        let told = format!("{ended:?}");
        assert!(told.contains("(hidden)") && !told.contains(&secret), "{told}");
    }
    for answer in [(403, "bad key SECRET"), (200, r#"{"error": {"message": "bad key SECRET"}}"#)] {
        let service = service(answer, good).await;
        let plan = with_secret(asr(&service.url));
        let told = format!("{:?}", OpenAiTarget::of_plan(&plan).unwrap().perform(&input(vec![1])).await);
        assert!(told.contains("(hidden)") && !told.contains(&secret), "{told}");
    }
}

/// If the first 2 KB of a refusal end inside the secret, its beginning is cut off as well.
#[tokio::test]
async fn a_secret_that_is_cut_off_is_hidden_as_well() {
    let secret = std::env::var(VARIABLE).unwrap();
    let long: &'static str = format!("{}SECRET", "x".repeat(2048 - secret.len() / 2)).leak();
    let service = service((401, long), (200, "")).await;
    let told = format!("{:?}", perform_http(&with_secret(http(&service.url)), 8).await.unwrap_err());
    assert!(!told.contains(&secret[..secret.len() / 2]), "{told}");
}
