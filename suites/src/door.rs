//! A server at a port that programs have built in, where nobody else can have it, and which asks `postgres` for no password.
//!
//! The port is taken in a network of its own (`unshare --net`), in which nothing else is: no port of the machine is. What comes
//! there goes through a Unix socket, which has a name and so is the same inside and outside, to where the run goes; there
//! a client that says that it is `postgres` is logged in, since Holm knows no login without a password. All others prove
//! themselves. Everybody gets into the one database of the run, since no tenant can be called `postgres`. Apart from that, bytes
//! are carried as they are.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use holm_pgwire::message;
use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::startup;

use crate::served::{Address, PASSWORD};

/// The first argument that makes this program the inside of a door.
const INSIDE: &str = "--inside";
/// Where the programs look for their server.
const PORT: u16 = 5433;
/// Who is let in without a password.
const TRUSTED: &[u8] = b"postgres";
/// `AuthenticationOk`, which says nothing of how.
const OK: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 0];

/// A command that runs a program behind the door.
pub(crate) fn command(door: &Path, program: &Path) -> Command {
    let own = std::env::current_exe().unwrap_or_default();
    let mut command = Command::new("unshare");
    command.args(["--net", "--map-root-user", "--"]).arg(own).arg(INSIDE).arg(door).arg(program);
    command
}

/// If this process is the inside of a door: runs the program there and gives its end.
pub(crate) fn inside() -> Option<anyhow::Result<ExitCode>> {
    let mut args = std::env::args_os().skip(1);
    (args.next()? == INSIDE).then(|| run_inside(args.collect()))
}

fn run_inside(args: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let [door, program, args @ ..] = &args[..] else { anyhow::bail!("{INSIDE} DOOR PROGRAM [ARG…]") };
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("start `ip`")?;
    anyhow::ensure!(up.success(), "`ip link set lo up` failed");
    let listener = TcpListener::bind(("127.0.0.1", PORT))?;
    let door = door.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(outside) = UnixStream::connect(&door) {
                thread::spawn(move || join(client, outside));
            }
        }
    });
    let status = Command::new(program).args(args).status().with_context(|| format!("start {}", program.display()))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Serves the outside for as long as this process is there.
pub(crate) fn keep(door: UnixListener, to: Address) {
    thread::spawn(move || {
        for client in door.incoming().flatten() {
            let to = to.clone();
            // One that fails is one whose client is gone, or is told nothing more.
            thread::spawn(move || let_in(client, &to));
        }
    });
}

/// Reads who somebody is, logs them in if they are trusted, and then carries.
fn let_in(mut client: UnixStream, to: &Address) -> io::Result<()> {
    let packet = startup_packet(&mut client)?;
    let mut server = TcpStream::connect(format!("{}:{}", to.host, to.port))?;
    match startup::parse(&packet[4..]) {
        Ok(startup::Opening::Session(request)) => {
            server.write_all(&to_database(&packet, &request, &to.database))?;
            if request.parameter("user") == Some(TRUSTED) {
                log_in(&mut client, &mut server)?;
            }
        }
        _ => server.write_all(&packet)?,
    }
    join(server, client);
    Ok(())
}

/// The packet with another database.
fn to_database(packet: &[u8], request: &startup::SessionRequest<'_>, database: &str) -> Vec<u8> {
    let others = request.parameters.iter().copied().filter(|(name, _)| *name != b"database");
    let mut out = Vec::new();
    message::startup(&mut out, others.chain([(&b"database"[..], database.as_bytes())]));
    // The version is the client's.
    out[4..8].copy_from_slice(&packet[4..8]);
    out
}

fn startup_packet(client: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut packet = vec![0; 4];
    client.read_exact(&mut packet)?;
    let length = u32::from_be_bytes([packet[0], packet[1], packet[2], packet[3]]) as usize;
    packet.resize(length.clamp(8, 10_000), 0);
    client.read_exact(&mut packet[4..])?;
    Ok(packet)
}

/// Proves the password in place of the client, which hears of it when that is done. A server that refuses is heard by the
/// client.
fn log_in(client: &mut UnixStream, server: &mut TcpStream) -> io::Result<()> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let (opening, first) = Opening::new("a nonce that is always the same".replace(' ', "-"));
    let Some(_) = authentication(client, server, 10)? else { return Ok(()) };
    let mut out = Vec::new();
    message::sasl_initial_response(&mut out, "SCRAM-SHA-256", first.as_bytes());
    server.write_all(&out)?;
    let Some(challenge) = authentication(client, server, 11)? else { return Ok(()) };
    let text = String::from_utf8(challenge).map_err(|_| invalid())?;
    let field = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name)).ok_or_else(invalid);
    let salt = STANDARD.decode(field("s=")?).map_err(|_| invalid())?;
    let rounds = field("i=")?.parse().map_err(|_| invalid())?;
    let keys = LoginKeys::derive(PASSWORD.as_bytes(), &salt, rounds);
    let (_, proof) = opening.respond(text.as_bytes(), &keys).map_err(|_| invalid())?;
    let mut out = Vec::new();
    message::sasl_response(&mut out, proof.as_bytes());
    server.write_all(&out)?;
    if authentication(client, server, 12)?.is_some() && authentication(client, server, 0)?.is_some() {
        client.write_all(&OK)?;
    }
    Ok(())
}

/// The body of the authentication message of a kind that comes next. Anything else is the client's, who then is not helped.
fn authentication(client: &mut UnixStream, server: &mut TcpStream, kind: u32) -> io::Result<Option<Vec<u8>>> {
    let mut inbox = Vec::new();
    loop {
        let mut byte = [0];
        server.read_exact(&mut byte)?;
        inbox.push(byte[0]);
        match scan(&inbox, MESSAGE_LENGTH_MAX) {
            Ok(None) => {}
            Ok(Some(frame)) if frame.tag == b'R' && frame.body.starts_with(&kind.to_be_bytes()) => {
                return Ok(Some(frame.body[4..].to_vec()));
            }
            Ok(Some(_)) | Err(_) => {
                client.write_all(&inbox)?;
                return Ok(None);
            }
        }
    }
}

/// Carries both ways until both have ended.
fn join(tcp: TcpStream, unix: UnixStream) {
    let (Ok(from_tcp), Ok(to_unix)) = (tcp.try_clone(), unix.try_clone()) else { return };
    let _ = tcp.set_nodelay(true);
    let down = thread::spawn(move || {
        let _ = io::copy(&mut &from_tcp, &mut &to_unix);
        let _ = to_unix.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &unix, &mut &tcp);
    let _ = tcp.shutdown(Shutdown::Write);
    let _ = down.join();
}
