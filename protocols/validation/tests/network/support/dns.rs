//! A DNS server that answers as told, over UDP and TCP on one port, and notes what it was asked.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// What a question is answered with; a name without any reply does not exist.
#[derive(Clone)]
pub enum Reply {
    Records(Vec<Record>),
    Code(ResponseCode),
    /// Nothing over UDP but "too long"; the records over TCP.
    OverTcp(Vec<Record>),
    /// Bytes that are no DNS message.
    Garbage,
    Silence,
}

type Key = (String, RecordType);

#[derive(Default)]
struct Zone {
    replies: HashMap<Key, Reply>,
    questions: Vec<Key>,
}

#[derive(Clone)]
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    _tasks: Arc<JoinSet<()>>,
}

impl Dns {
    pub async fn start() -> Self {
        let zone = Arc::new(Mutex::new(Zone::default()));
        let (udp, tcp) = sockets().await;
        let address = udp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&zone)));
        tasks.spawn(serve_tcp(tcp, Arc::clone(&zone)));
        Self {
            address,
            zone,
            _tasks: Arc::new(tasks),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn set(&self, name: &str, kind: RecordType, reply: Reply) {
        self.zone.lock().unwrap().replies.insert((key(name), kind), reply);
    }

    /// The name has exactly these addresses.
    pub fn addresses(&self, name: &str, addresses: &[&str]) {
        let parsed: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let (four, six): (Vec<_>, Vec<_>) = parsed.iter().partition(|address| address.is_ipv4());
        let records = |list: Vec<&IpAddr>| {
            Reply::Records(
                list.into_iter()
                    .map(|address| record(name, data_of(*address)))
                    .collect(),
            )
        };
        self.set(name, RecordType::A, records(four));
        self.set(name, RecordType::AAAA, records(six));
    }

    /// Everything asked so far.
    pub fn questions(&self) -> Vec<Key> {
        self.zone.lock().unwrap().questions.clone()
    }
}

pub fn record(name: &str, data: RData) -> Record {
    Record::from_rdata(Name::from_ascii(key(name)).unwrap(), 300, data)
}

/// A TXT record of these strings.
pub fn txt(name: &str, strings: &[&str]) -> Record {
    record(
        name,
        RData::TXT(TXT::new(strings.iter().map(|part| (*part).to_owned()).collect())),
    )
}

pub fn cname(name: &str, target: &str) -> Record {
    record(name, RData::CNAME(CNAME(Name::from_ascii(key(target)).unwrap())))
}

fn data_of(address: IpAddr) -> RData {
    match address {
        IpAddr::V4(v4) => RData::A(A(v4)),
        IpAddr::V6(v6) => RData::AAAA(AAAA(v6)),
    }
}

/// Lower case with the final dot.
fn key(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.').to_ascii_lowercase())
}

async fn sockets() -> (UdpSocket, TcpListener) {
    loop {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        // The port is free for UDP; try again if another process has it for TCP.
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
}

async fn serve_udp(socket: UdpSocket, zone: Arc<Mutex<Zone>>) {
    let mut buffer = vec![0; 4096];
    loop {
        let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
        if let Some(answer) = answer(&buffer[..len], &zone, false) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, zone: Arc<Mutex<Zone>>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        connections.spawn(serve_stream(stream, Arc::clone(&zone)));
    }
}

async fn serve_stream(mut stream: TcpStream, zone: Arc<Mutex<Zone>>) {
    while let Ok(len) = stream.read_u16().await {
        let mut question = vec![0; len.into()];
        if stream.read_exact(&mut question).await.is_err() {
            return;
        }
        if let Some(answer) = answer(&question, &zone, true) {
            let mut framed = u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
            framed.extend(answer);
            if stream.write_all(&framed).await.is_err() {
                return;
            }
        }
    }
}

fn answer(question: &[u8], zone: &Mutex<Zone>, over_tcp: bool) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).unwrap();
    let query = asked.queries[0].clone();
    let asked_for = (query.name().to_ascii().to_ascii_lowercase(), query.query_type());
    let reply = {
        let mut zone = zone.lock().unwrap();
        zone.questions.push(asked_for.clone());
        let exists = zone.replies.keys().any(|(name, _)| *name == asked_for.0);
        let absent = if exists {
            Reply::Records(vec![])
        } else {
            Reply::Code(ResponseCode::NXDomain)
        };
        zone.replies.get(&asked_for).cloned().unwrap_or(absent)
    };
    let mut message = Message::new(asked.metadata.id, MessageType::Response, asked.metadata.op_code);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.add_query(query);
    match reply {
        Reply::Records(records) => message.answers = records,
        Reply::OverTcp(records) if over_tcp => message.answers = records,
        Reply::OverTcp(_) => message.metadata.truncation = true,
        Reply::Code(code) => message.metadata.response_code = code,
        Reply::Garbage => return Some([&question[..2], b"garbage"].concat()),
        Reply::Silence => return None,
    }
    Some(message.to_vec().unwrap())
}
