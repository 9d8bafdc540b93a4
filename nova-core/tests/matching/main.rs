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

use model::{Answer, Route};
use real::Real;

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
            let real = Real::new(&routes).map_err(|errors| {
                TestCaseError::fail(format!("routes without a conflict are refused: {errors}"))
            })?;
            for request in &requests {
                let (method, path) = (request.method, request.path(&routes));
                let expected = model::answer(&routes, method, &path);
                let answer = real.answer(method, &path).await;
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
        match Real::new(&routes) {
            Ok(_) => prop_assert!(!model::conflict(&routes), "a conflict is not noticed"),
            Err(errors) => {
                prop_assert!(real::are_conflicts(&errors), "good routes are refused: {errors}");
                prop_assert!(model::conflict(&routes), "there is no conflict: {errors}");
            }
        }
    }
}

fn route_that_binds(names: usize) -> Vec<Route> {
    let path = (0..names).map(|at| format!("/{{x{at}}}")).collect();
    vec![Route::new(String::new(), path, None)]
}

#[test]
fn a_route_binds_25_names() {
    let values: Vec<String> = (0..25).map(|at| at.to_string()).collect();
    runtime().block_on(async {
        let real = Real::new(&route_that_binds(25)).expect("it is accepted");
        let answer = real.answer("GET", &format!("/{}", values.join("/"))).await;
        let Answer::Route(0, bound) = answer else {
            panic!("{answer:?}");
        };
        let bound: Vec<String> = bound.into_iter().map(|(_, value)| value).collect();
        assert_eq!(bound, values);
    });
}

#[test]
fn a_route_that_binds_more_than_25_names_is_refused() {
    let errors = Real::new(&route_that_binds(26)).expect_err("it is refused");
    assert!(
        errors.to_string().contains("it binds more than 25 names"),
        "{errors}"
    );
}
