//! The router answers as a slow, obvious model does, whatever the routes and the requests.
//!
//! The cases are random, and the same in every run. `PROPTEST_CASES=100000` tries more of them,
//! `PROPTEST_RNG_SEED=7` others.

mod model;
mod real;
mod written;

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use tokio::runtime::Runtime;

use real::Router;

/// A few hundred cases, with a fixed seed unless another is asked for.
fn config() -> ProptestConfig {
    let config = ProptestConfig::default();
    ProptestConfig {
        rng_seed: match config.rng_seed {
            RngSeed::Random => RngSeed::Fixed(4),
            fixed => fixed,
        },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..config
    }
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_request_is_answered_as_by_the_model(
        routes in written::sound_routes(),
        requests in written::requests(),
    ) {
        runtime().block_on(async {
            let router = Router::new(&routes).map_err(|errors| {
                TestCaseError::fail(format!("routes without a conflict are refused: {errors}"))
            })?;
            for request in &requests {
                let (method, path) = (request.method, request.path(&routes));
                let expected = model::answer(&routes, method, &path);
                let answer = router.answer(method, &path).await;
                prop_assert_eq!(answer, expected, "{} {}", method, path);
            }
            Ok(())
        })?;
    }

    #[test]
    fn routes_are_refused_exactly_when_two_are_for_the_same_requests(
        routes in written::routes(),
    ) {
        let _guard = runtime().enter();
        match Router::new(&routes) {
            Ok(_) => prop_assert!(!model::conflict(&routes), "a conflict is not noticed"),
            Err(errors) => {
                prop_assert!(real::are_conflicts(&errors), "good routes are refused: {errors}");
                prop_assert!(model::conflict(&routes), "there is no conflict: {errors}");
            }
        }
    }
}
