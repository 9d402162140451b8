//! The program in the images of an acceptance run. It answers every request; with the argument `error` by 500, and with `crash`
//! it ends at once. Nothing else is in its image: it is linked statically.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// The port of the platform file of an acceptance run.
const PORT: u16 = 8080;
/// A client that does not go on is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest request that is read.
const LONGEST: usize = 16 * 1024;

fn main() -> ExitCode {
    let how = std::env::args().nth(1).unwrap_or_default();
    if how == "crash" {
        eprintln!("this image ends at once: an acceptance run has to see that");
        return ExitCode::FAILURE;
    }
    let status = if how == "error" { "500 Internal Server Error" } else { "200 OK" };
    let served = TcpListener::bind(("0.0.0.0", PORT)).and_then(|listener| {
        println!("answering {status} on port {PORT}");
        serve(&listener, status)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("port {PORT}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Answers each connection in a thread of its own.
fn serve(listener: &TcpListener, status: &'static str) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || {
            if let Err(error) = answer(stream, status) {
                eprintln!("a connection: {error}");
            }
        });
    }
}

/// Reads one request, and answers it.
fn answer(mut stream: TcpStream, status: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut request, mut part) = (Vec::new(), [0; 1024]);
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part)? {
            // Who only looks whether somebody listens says nothing.
            0 => return Ok(()),
            read => request.extend_from_slice(&part[..read]),
        }
        if request.len() > LONGEST {
            return Err(ErrorKind::InvalidData.into());
        }
    }
    let body = format!("skydeck acceptance: {status}\n");
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_answered() {
        for (status, first) in [("200 OK", "HTTP/1.1 200 OK\r\n"), ("500 Internal Server Error", "HTTP/1.1 500 ")] {
            let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || serve(&listener, status));
            drop(TcpStream::connect(address).unwrap());
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(b"GET /health HTTP/1.1\r\nhost: here\r\n\r\n").unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with(first) && answer.ends_with("\n"), "{answer}");
        }
    }
}
