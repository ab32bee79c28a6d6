//! A worker stands still past its lease.

use portreeve_faults::client::request_for;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::{journal, os};
use rustix::process::{Pid, Signal, kill_process};

use crate::{LIMIT, assert_whole};

fn signal(process: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A lease lasts two minutes by the database's clock. The test does not wait for them: while the worker stands still it
/// sets the end of the lease in the database back to now, which is all that the passing of time would change.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_wakes_up_past_its_lease_is_refused() {
    let mut fleet = Fleet::of(&Plan::SMALL).await.unwrap();
    let client = fleet.client("default").await.unwrap();
    let name = "slept.localhost";
    let url = client.order(name, LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let request = request_for(name).unwrap();

    // The other worker may not take it, and this one cannot sign it.
    let (sleeper, other) = ("worker2", "worker1");
    fleet.node(other).unwrap().process.pause();
    let sleeper_pid = fleet.node(sleeper).unwrap().process.pid();
    let signers = os::children(sleeper_pid).unwrap();
    assert_eq!(signers.len(), 1);
    signal(signers[0], Signal::STOP);
    client.finalize(&url, &request).await.unwrap();
    os::eventually("the intent of the sleeper", LIMIT, || async {
        let held = "SELECT count(*) FROM task WHERE holder IS NOT NULL AND \
                    EXISTS (SELECT FROM request WHERE enrollment = subject AND state = 'issuing')";
        Ok((fleet.count(held).await? == 1).then_some(()))
    })
    .await
    .unwrap();
    fleet.node(sleeper).unwrap().process.pause();
    let ended = fleet
        .count("WITH past AS (UPDATE task SET ready_at = 0 WHERE holder IS NOT NULL RETURNING 1) SELECT count(*) FROM past");
    assert_eq!(ended.await.unwrap(), 1);

    fleet.node(other).unwrap().process.resume();
    let certificate = client.complete(&url, &request, LIMIT).await.unwrap();
    let told = fleet.records().await.unwrap().len();
    assert!(journal_of(&fleet, sleeper).is_empty(), "it could not sign so far");

    // Its signer first, so that the answer is there when it goes on.
    signal(signers[0], Signal::CONT);
    os::eventually("the signature of the sleeper", LIMIT, || async {
        Ok((!journal_of(&fleet, sleeper).is_empty()).then_some(()))
    })
    .await
    .unwrap();
    fleet.node(sleeper).unwrap().process.resume();
    os::eventually("the end of what it held", LIMIT, || async {
        let log = fleet.node(sleeper).unwrap().process.log();
        Ok(log
            .contains("the lease had ended: another node has the task")
            .then_some(()))
    })
    .await
    .unwrap();
    assert_eq!(
        fleet.records().await.unwrap().len(),
        told,
        "its commit was refused"
    );
    assert_eq!(client.complete(&url, &request, LIMIT).await.unwrap(), certificate);
    // It goes on with other work.
    fleet.node(other).unwrap().process.pause();
    client.obtain("awake.localhost", LIMIT).await.unwrap();
    fleet.node(other).unwrap().process.resume();
    assert_eq!(assert_whole(&mut fleet).await, 2);
}

fn journal_of(fleet: &Fleet, name: &str) -> Vec<journal::Entry> {
    let config = fleet.node(name).unwrap().process.config();
    journal::read_all(&config.with_extension("")).unwrap()
}
