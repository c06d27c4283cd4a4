"""Who is who: tokens, certificates, and what a caller has to bring."""

import datetime
import ipaddress
import time
from pathlib import Path

import grpc
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ISSUER, AUDIENCE = "https://localhost:8085", "jumpstarter"
ROUTER_ISSUER, ROUTER_AUDIENCE = "https://jumpstarter.dev/stream", "https://jumpstarter.dev/router"
KEY, ROUTER_KEY = "k" * 32, "r" * 32
DAY = 86400


def token(kind, namespace, name, uid, expires=365 * DAY):
    """A token of an exporter or a client."""
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": f"{kind.lower()}:{namespace}:{name}:{uid}"}
    return jwt.encode(claims | {"iat": int(time.time()), "exp": int(time.time()) + expires}, KEY)


def router_token(stream):
    claims = {"iss": ROUTER_ISSUER, "aud": ROUTER_AUDIENCE, "sub": stream}
    return jwt.encode(claims | {"exp": int(time.time()) + 1800}, ROUTER_KEY)


def stream_of(text):
    """Which stream a router token is for; raises when it is for none."""
    claims = jwt.decode(text, ROUTER_KEY, ["HS256"], audience=ROUTER_AUDIENCE, issuer=ROUTER_ISSUER)
    return claims["sub"]


def bearer(context):
    found = [value for key, value in context.invocation_metadata() if key == "authorization"]
    return found[0].removeprefix("Bearer ") if len(found) == 1 else None


async def caller(context, kind, uid_of):
    """The name of the caller, who must be of this kind and have a token of its own."""
    metadata = context.invocation_metadata()
    if (text := bearer(context)) is None:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, "missing authorization metadata")
    values = {}
    for key in ("jumpstarter-kind", "jumpstarter-namespace", "jumpstarter-name"):
        found = [value for name, value in metadata if name == key]
        if len(found) != 1:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"expected {key} once, found it {len(found)} times")
        values[key] = found[0]
    if values["jumpstarter-kind"] != kind:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "invalid object kind")
    try:
        claims = jwt.decode(text, KEY, ["HS256"], audience=AUDIENCE, issuer=ISSUER)
    except jwt.ExpiredSignatureError:
        await context.abort(grpc.StatusCode.UNKNOWN, "oidc: verify token: oidc: token is expired")
    except jwt.InvalidTokenError as error:
        await context.abort(grpc.StatusCode.UNKNOWN, f"failed to authenticate token: oidc: {error}")
    namespace, name = values["jumpstarter-namespace"], values["jumpstarter-name"]
    uid, what = uid_of(namespace, name), kind.lower()
    if uid is None:
        text = f'{what} {namespace}/{name}: {what}s.jumpstarter.dev "{name}" not found'
        await context.abort(grpc.StatusCode.UNKNOWN, text)
    if claims["sub"] != f"{what}:{namespace}:{name}:{uid}":
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, f"permission denied for {what} {namespace}/{name}")
    return name


class Authority:
    """A certificate authority of the lab; every certificate it makes is for this machine."""

    def __init__(self, days=0):
        self.days = days
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign("the lab's authority", self.key.public_key(), ca=True)

    def _sign(self, name, public_key, ca):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if ca else self.certificate.subject
        now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=self.days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if not ca:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path):
        Path(path).write_bytes(self.pem())

    def server(self):
        """Credentials of a server, with a new key and a new certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign("localhost", key.public_key(), ca=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = certificate.public_bytes(serialization.Encoding.PEM)
        return grpc.ssl_server_credentials([(private, chain)])
