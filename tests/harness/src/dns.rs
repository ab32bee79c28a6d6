//! A DNS server that answers as told, over UDP on a free port of 127.0.0.1, and notes what it was asked.
//!
//! It plays the resolver: a CNAME is followed and its target's records come along. A name that nothing was said about
//! has the address 127.0.0.1 and no other records, so that most tests need to say nothing at all.

mod message;

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

pub use message::{Data, RecordKind};
use message::{Question, Record};

use crate::error::HarnessError;

/// How long the server's thread waits before it looks whether it should end.
const PATIENCE: Duration = Duration::from_millis(100);
const QUESTION_BYTES_MAX: usize = 4096;
/// Longer chains of CNAMEs are cut off.
const ALIASES_MAX: usize = 8;
const SERVFAIL: u8 = 2;

/// What a question is answered with.
#[derive(Debug, Clone)]
pub enum DnsReply {
    /// These records; none says that the name exists without such records.
    Records(Vec<Data>),
    /// SERVFAIL, which is also what a validating resolver says about bogus DNSSEC.
    Failure,
    /// Nothing at all.
    Silence,
}

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

type Key = (String, RecordKind);

#[derive(Debug, Default)]
struct Zone {
    /// Answers in turn; the last one stays.
    replies: HashMap<Key, VecDeque<DnsReply>>,
    questions: Vec<Key>,
}

impl DnsServer {
    /// Starts it.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> Result<Self, HarnessError> {
        let failed = |source| HarnessError::Network {
            peer: "DNS server of the test".to_owned(),
            source,
        };
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let (zone, ended) = (Arc::<Mutex<Zone>>::default(), Arc::<AtomicBool>::default());
        let (served, flag) = (Arc::clone(&zone), Arc::clone(&ended));
        let thread = std::thread::spawn(move || serve(&socket, &served, &flag));
        Ok(Self {
            address,
            zone,
            ended,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers questions for this kind of record from now on.
    pub fn set(&self, name: &str, kind: RecordKind, reply: DnsReply) {
        self.set_turns(name, kind, vec![reply]);
    }

    /// Answers with each of these in turn, and with the last one from then on.
    pub fn set_turns(&self, name: &str, kind: RecordKind, replies: Vec<DnsReply>) {
        lock(&self.zone).replies.insert((key(name), kind), replies.into());
    }

    /// The name has exactly these addresses.
    pub fn set_addresses(&self, name: &str, addresses: &[IpAddr]) {
        let of = |kind| {
            addresses
                .iter()
                .map(|address| Data::Address(*address))
                .filter(move |data| data.kind() == kind)
        };
        for kind in [RecordKind::A, RecordKind::Aaaa] {
            self.set(name, kind, DnsReply::Records(of(kind).collect()));
        }
    }

    /// The name has exactly these TXT records.
    pub fn set_txt(&self, name: &str, values: &[&str]) {
        let records = values
            .iter()
            .map(|value| Data::Text((*value).to_owned()))
            .collect();
        self.set(name, RecordKind::Txt, DnsReply::Records(records));
    }

    /// The name is an alias, for questions of every kind.
    pub fn set_cname(&self, name: &str, target: &str) {
        self.set(
            name,
            RecordKind::Cname,
            DnsReply::Records(vec![Data::Alias(key(target))]),
        );
    }

    /// The kinds of records that were asked for under this name so far.
    pub fn questions(&self, name: &str) -> Vec<RecordKind> {
        let name = key(name);
        lock(&self.zone)
            .questions
            .iter()
            .filter(|(asked, _)| *asked == name)
            .map(|(_, kind)| *kind)
            .collect()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Zone {
    fn reply(&mut self, name: &str, kind: RecordKind) -> DnsReply {
        let unknown = match kind {
            RecordKind::A => DnsReply::Records(vec![Data::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))]),
            _ => DnsReply::Records(Vec::new()),
        };
        let Some(replies) = self.replies.get_mut(&(name.to_owned(), kind)) else {
            return unknown;
        };
        if replies.len() > 1 {
            replies.pop_front()
        } else {
            replies.front().cloned()
        }
        .unwrap_or(unknown)
    }

    /// The records for a question, along the aliases; or the code to fail with; or nothing.
    fn answer(&mut self, question: &Question) -> Option<Result<Vec<Record>, u8>> {
        let (mut name, mut records) = (question.name.clone(), Vec::new());
        self.questions.push((name.clone(), question.kind));
        for _ in 0..ALIASES_MAX {
            if question.kind != RecordKind::Cname
                && let DnsReply::Records(aliases) = self.reply(&name, RecordKind::Cname)
                && let Some(Data::Alias(target)) = aliases.first()
            {
                records.push(Record {
                    name: name.clone(),
                    data: Data::Alias(target.clone()),
                });
                name.clone_from(target);
                continue;
            }
            return match self.reply(&name, question.kind) {
                DnsReply::Silence => None,
                DnsReply::Failure => Some(Err(SERVFAIL)),
                DnsReply::Records(found) => {
                    records.extend(found.into_iter().map(|data| Record {
                        name: name.clone(),
                        data,
                    }));
                    Some(Ok(records))
                }
            };
        }
        Some(Err(SERVFAIL))
    }
}

fn serve(socket: &UdpSocket, zone: &Mutex<Zone>, ended: &AtomicBool) {
    let mut buffer = [0; QUESTION_BYTES_MAX];
    while !ended.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let Some(question) = buffer.get(..length).and_then(Question::read) else {
            continue;
        };
        if let Some(answer) = lock(zone).answer(&question) {
            let _ = socket.send_to(&question.answered(&answer), from);
        }
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lower case without the final dot.
fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(server: &DnsServer, name: &str, kind: u16) -> Option<Vec<u8>> {
        ask_for(server, name, (kind, Duration::from_secs(60)))
    }

    fn ask_for(server: &DnsServer, name: &str, (kind, patience): (u16, Duration)) -> Option<Vec<u8>> {
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend(label.as_bytes());
        }
        question.push(0);
        question.extend([&kind.to_be_bytes()[..], &[0, 1]].concat());
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        socket.send_to(&question, server.address()).unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).ok()?;
        Some(buffer[..length].to_vec())
    }

    fn contains(haystack: &[u8], needle: &[u8]) -> bool {
        haystack.windows(needle.len()).any(|window| window == needle)
    }

    #[test]
    fn answers_as_told() {
        let server = DnsServer::start().unwrap();
        let known = ask(&server, "any.test", 1).unwrap();
        assert_eq!(&known[..8], [0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1]);
        assert!(known.ends_with(&[127, 0, 0, 1]));
        assert_eq!(ask(&server, "any.test", 28).unwrap()[7], 0, "no AAAA");

        server.set_txt("_x.a.test", &["one", "two"]);
        server.set_cname("alias.test", "_X.a.test.");
        let followed = ask(&server, "ALIAS.test", 16).unwrap();
        assert_eq!(followed[7], 3, "the alias and two records");
        assert!(contains(&followed, b"\x03one") && contains(&followed, b"\x03two"));

        server.set("a.test", RecordKind::A, DnsReply::Failure);
        assert_eq!(ask(&server, "a.test", 1).unwrap()[3] & 15, SERVFAIL);
        server.set("b.test", RecordKind::A, DnsReply::Silence);
        let brief = Duration::from_millis(300);
        assert_eq!(ask_for(&server, "b.test", (1, brief)), None);
        assert_eq!(server.questions("A.test."), [RecordKind::A]);
    }

    #[test]
    fn answers_in_turn() {
        let server = DnsServer::start().unwrap();
        let at = |last| DnsReply::Records(vec![Data::Address(IpAddr::from([127, 0, 0, last]))]);
        server.set_turns("r.test", RecordKind::A, vec![at(1), at(2)]);
        let last = |answer: Option<Vec<u8>>| answer.unwrap().last().copied();
        let seen = [(); 3].map(|()| last(ask(&server, "r.test", 1)));
        assert_eq!(seen, [Some(1), Some(2), Some(2)]);
    }
}
