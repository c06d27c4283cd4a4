//! Sockets that clients reach the exporter on.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use flasher_core::{Error, Result};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use crate::admission::Origin;
use crate::authority::Scrubber;
use crate::tls::Certificate;

/// How long a client may take over its TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Where the exporter is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A bound socket. A unix socket's file goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: ListenAddress,
    certificate: Option<Certificate>,
}

enum Socket {
    Tcp(TcpListener, Option<TlsAcceptor>),
    Unix(UnixListener),
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(..) => "Tcp",
            Self::Unix(_) => "Unix",
        })
    }
}

/// Binds a TCP address and gives what it is then; port 0 takes any free one. `what` is what cannot be served otherwise, for the message.
///
/// # Errors
/// When the address cannot be bound.
pub async fn bind_tcp(what: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |error: io::Error| {
        Error::infrastructure(format!("{what} cannot be served on {address}"))
            .help("`ss -ltnp` shows who has the port; give another one, or 0 for any that is free")
            .retryable(false)
            .because(error)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

impl Listener {
    /// Binds a TCP socket; port 0 takes any free one. With a certificate, clients must speak TLS.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn tcp(address: SocketAddr, certificate: Option<&Certificate>) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::infrastructure(format!("cannot listen on {address}"))
                .help("`ss -ltnp` shows who has the port; give another one, or 0 for any")
                .retryable(false)
                .because(error)
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = ListenAddress::Tcp(socket.local_addr().map_err(failed)?);
        Ok(Self {
            socket: Socket::Tcp(socket, certificate.map(Certificate::acceptor)),
            address,
            certificate: certificate.cloned(),
        })
    }

    /// Binds a unix socket that only this user may use. A file left behind by another exporter is replaced.
    ///
    /// # Errors
    /// When the path cannot be bound, another process listens there, or it is no socket.
    pub fn unix(path: &Path) -> Result<Self> {
        let failed = |error: io::Error| {
            Error::infrastructure(format!("cannot listen on `{}`", path.display()))
                .help("give a path of at most 107 bytes in a folder that this user may write")
                .retryable(false)
                .because(error)
        };
        clear(path)?;
        let socket = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self {
            socket: Socket::Unix(socket),
            address: ListenAddress::Unix(path.to_owned()),
            certificate: None,
        })
    }

    /// Where it is bound.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// The next client that comes.
    pub(crate) async fn accept(&self) -> io::Result<PendingConnection> {
        match &self.socket {
            Socket::Tcp(socket, tls) => {
                let (stream, peer) = socket.accept().await?;
                stream.set_nodelay(true)?;
                let alive = TcpKeepalive::new()
                    .with_time(Duration::from_secs(20))
                    .with_interval(Duration::from_secs(10));
                SockRef::from(&stream).set_tcp_keepalive(&alive)?;
                Ok(PendingConnection {
                    stream: HandshakeResult::Tcp(stream, tls.clone()),
                    peer: peer.to_string(),
                    origin: Origin::of(peer.ip()),
                    certificate: self.certificate.clone(),
                })
            }
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                let who = stream.peer_cred().ok().and_then(|who| who.pid());
                let peer = who.map_or_else(|| "a local process".to_owned(), |pid| format!("process {pid}"));
                let stream = HandshakeResult::Unix(stream);
                Ok(PendingConnection { stream, peer, origin: Origin::Socket, certificate: None })
            }
        }
    }
}

/// Removes a socket that no process listens on.
fn clear(path: &Path) -> Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    let taken = |what: &str| {
        Error::config(format!("`{}` {what}", path.display())).help("give another path, or remove it")
    };
    if !found.file_type().is_socket() {
        return Err(taken("is there already and is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(taken("is in use by another exporter")),
        Err(_) => fs::remove_file(path).map_err(|error| taken("cannot be replaced").because(error)),
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let ListenAddress::Unix(path) = &self.address {
            // It may have been removed before.
            fs::remove_file(path).ok();
        }
    }
}

/// A client that has come and has not said anything yet.
pub(crate) struct PendingConnection {
    stream: HandshakeResult,
    pub(crate) peer: String,
    pub(crate) origin: Origin,
    /// What we prove our name with to it.
    pub(crate) certificate: Option<Certificate>,
}

enum HandshakeResult {
    Tcp(TcpStream, Option<TlsAcceptor>),
    Unix(UnixStream),
    Tunnel(DuplexStream),
}

/// Bytes to and from a client, as HTTP/2 needs them.
pub(crate) trait ClientStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ClientStream for T {}

impl PendingConnection {
    /// The connection of a client that a router has passed on: its bytes as the client sent them.
    pub(crate) fn tunnel(stream: DuplexStream, peer: String) -> Self {
        Self { stream: HandshakeResult::Tunnel(stream), peer, origin: Origin::Tunnel, certificate: None }
    }

    /// Shakes hands; gives the bytes.
    pub(crate) async fn greet(self) -> io::Result<Box<dyn ClientStream>> {
        match self.stream {
            HandshakeResult::Tcp(stream, None) => Ok(Box::new(stream)),
            HandshakeResult::Tcp(stream, Some(tls)) => {
                Ok(Box::new(tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await??))
            }
            HandshakeResult::Unix(stream) => Ok(Box::new(Scrubbed { stream, scrubber: Scrubber::default() })),
            // The client speaks to a unix socket of its own, which the other end of the tunnel is.
            HandshakeResult::Tunnel(stream) => {
                Ok(Box::new(Scrubbed { stream, scrubber: Scrubber::default() }))
            }
        }
    }
}

/// A stream whose incoming HTTP/2 has readable authorities.
pub(crate) struct Scrubbed<S> {
    stream: S,
    scrubber: Scrubber,
}

impl<S: AsyncRead + Unpin> AsyncRead for Scrubbed<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.scrubber.scrub(&mut buffer.filled_mut()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Scrubbed<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, data)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
