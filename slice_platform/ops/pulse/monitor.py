"""What a monitor may say: the fields of Heartbeat's http, tcp and icmp. What it does not know is refused by name.

Fields that only Heartbeat acts on are taken as they are; the rest is judged as Heartbeat would, and then some: an `id`
has to be there, as Heartbeat else makes one of the whole text, and every edit would begin another history.
"""

import re
from abc import abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from slice_platform.ops.pulse import addresses
from slice_platform.ops.pulse.durations import Duration
from slice_platform.ops.pulse.schedule import When


def _as_list(value: object) -> object:
    """Heartbeat takes a single value for a list of one."""
    return value if isinstance(value, list | tuple) or value is None else [value]


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression that Go and Python read alike: {error}") from error
    return text


Texts: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Patterns: TypeAlias = Annotated[tuple[Annotated[str, BeforeValidator(_regex)], ...], BeforeValidator(_as_list)]
Untouched: TypeAlias = object  # of Heartbeat alone: publishing, authentication beyond basic


class Part(BaseModel):
    """A part of a monitor; keys that Heartbeat does not know are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Service(Part):
    name: str = ""
    environment: str = ""


class Tls(BaseModel):
    """`ssl`: what the probe heeds is checked, the rest is Heartbeat's."""

    model_config = ConfigDict(extra="allow", frozen=True)

    enabled: bool = True
    verification_mode: Literal["full", "strict", "certificate", "none"] = "full"
    certificate_authorities: Texts = ()  # paths, or the certificates themselves
    certificate: str | None = None
    key: str | None = None


class Monitor(Part):
    """What monitors of all types have."""

    needs: ClassVar[tuple[str, ...]] = ()  # fields of this monitor that the probe cannot do justice

    id: str = Field(min_length=1, max_length=200)
    type: str
    schedule: When
    name: str = ""
    enabled: bool = True
    timeout: Duration = timedelta(seconds=16)
    max_attempts: int = Field(default=1, ge=1, le=10)
    mode: Literal["any", "all"] = "any"
    ipv4: bool = True
    ipv6: bool = True
    service: Service = Service()
    service_name: str = ""
    tags: Texts = ()
    fields_: dict[str, Untouched] = Field(default_factory=dict, alias="fields")
    fields_under_root: bool = False
    processors: Annotated[list[Untouched], BeforeValidator(_as_list)] = Field(default_factory=list)
    keep_null: bool = False
    pipeline: Untouched = None
    index: Untouched = None
    data_stream: Untouched = None
    publisher_pipeline: Untouched = None
    run_from: Untouched = None
    origin: str = ""
    maintenance_windows: Untouched = None

    @property
    def service_of(self) -> str:
        """The service whose uptime it tells of."""
        return self.service.name or self.service_name or self.name or self.id

    @property
    @abstractmethod
    def endpoints(self) -> tuple[str, ...]:
        """What it knocks at, each on its own."""

    @property
    def beyond_the_probe(self) -> str | None:
        """The first field, if any, that Heartbeat acts on and the probe cannot."""
        if any(map(addresses.has_variable, self.endpoints)):
            return "a variable ${...} that only Heartbeat's host knows"
        return next((name for name in self.needs if getattr(self, name)), None)

    @model_validator(mode="after")
    def _reaches_somebody(self) -> "Monitor":
        if not self.ipv4 and not self.ipv6:
            raise ValueError("ipv4 and ipv6 are both false: nothing could be reached")
        return self


class Compression(Part):
    type: Literal["", "gzip"] = ""
    level: int = Field(default=0, ge=0, le=9)


class HttpRequest(Part):
    method: Literal["OPTIONS", "HEAD", "GET", "POST", "PUT", "DELETE", "CONNECT", "TRACE"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    compression: Compression = Compression()

    @field_validator("method", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value


class Body(Part):
    """Regular expressions: one of `positive` has to be found, none of `negative`."""

    positive: Patterns = ()
    negative: Patterns = ()


class HttpResponse(Part):
    status: Annotated[tuple[Annotated[int, Field(ge=100, le=999)], ...], BeforeValidator(_as_list)] = ()
    headers: dict[str, str] = Field(default_factory=dict)
    body: Body = Body()
    json_: list[Untouched] = Field(default_factory=list, alias="json")

    @field_validator("body", mode="before")
    @classmethod
    def _positive_alone(cls, value: object) -> object:
        return {"positive": value} if isinstance(value, str | list) else value


class HttpCheck(Part):
    request: HttpRequest = HttpRequest()
    response: HttpResponse = HttpResponse()


class KeptResponse(Part):
    """What Heartbeat keeps of an answer."""

    include_body: Literal["always", "on_error", "never"] = "on_error"
    include_body_max_bytes: int = Field(default=2048, ge=1)
    include_headers: bool = True
    check_body_max_bytes: int = Field(default=4 << 20, ge=1)


class HttpMonitor(Monitor):
    """An HTTP request, and what of its answer counts as up."""

    needs = ("proxy_url", "kerberos", "ntlm")

    type: Literal["http"]
    urls: Texts = ()
    hosts: Texts = ()
    max_redirects: int = Field(default=0, ge=0, le=50)
    username: str = ""
    password: str = Field(default="", repr=False)
    check: HttpCheck = HttpCheck()
    response: KeptResponse = KeptResponse()
    ssl: Tls | None = None
    proxy_url: str = ""
    proxy_headers: Untouched = None
    proxy_disable: bool = False
    kerberos: Untouched = None
    ntlm: Untouched = None
    idle_connection_timeout: Untouched = None

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(_full(url, self.ssl) for url in (*self.hosts, *self.urls))

    @field_validator("urls", "hosts")
    @classmethod
    def _are_addresses(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for url in found:
            if not addresses.has_variable(url):
                addresses.web_address(url)
        return found

    @model_validator(mode="after")
    def _knocks_somewhere(self) -> "HttpMonitor":
        if not self.urls and not self.hosts:
            raise ValueError("urls: there is none: expected at least one, such as [https://example.com/health]")
        return self


class TcpCheck(Part):
    send: str = ""
    receive: str = ""


class TcpMonitor(Monitor):
    """A connection, and what is said over it."""

    needs = ("proxy_url",)

    type: Literal["tcp"]
    hosts: Texts = Field(min_length=1)
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65_535)], ...], BeforeValidator(_as_list)] = ()
    check: TcpCheck = TcpCheck()
    ssl: Tls | None = None
    proxy_url: str = ""
    proxy_use_local_resolver: bool = False

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(each for one in self.hosts for each in _with_ports(one, self.ports, self.ssl))

    @model_validator(mode="after")
    def _has_ports(self) -> "TcpMonitor":
        for one in self.hosts:
            if not addresses.has_variable(one) and addresses.host_port(one).port is None and not self.ports:
                raise ValueError(f"hosts: {one!r} names no port: expected host:port, or a list of ports beside it")
        return self


class IcmpMonitor(Monitor):
    """An echo request."""

    type: Literal["icmp"]
    hosts: Texts = Field(min_length=1)
    wait: Duration = timedelta(seconds=1)

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(one if addresses.has_variable(one) else f"icmp://{one}" for one in self.hosts)

    @field_validator("hosts")
    @classmethod
    def _are_hosts(cls, found: tuple[str, ...]) -> tuple[str, ...]:
        for one in found:
            if not addresses.has_variable(one):
                addresses.host(one)
        return found


MONITORS: dict[str, type[Monitor]] = {"http": HttpMonitor, "tcp": TcpMonitor, "icmp": IcmpMonitor}


def _full(url: str, tls: Tls | None) -> str:
    if addresses.has_variable(url):
        return url
    return addresses.web_address(url, tls=tls is not None and tls.enabled).geturl()


def _with_ports(one: str, ports: Iterable[int], tls: Tls | None) -> list[str]:
    if addresses.has_variable(one):
        return [one]
    found = addresses.host_port(one)
    is_tls = found.asks_for_tls or (found.scheme is None and tls is not None and tls.enabled)
    host = f"[{found.host}]" if ":" in found.host else found.host
    chosen = [found.port] if found.port is not None else list(ports)
    return [f"{'tls' if is_tls else 'tcp'}://{host}:{port}" for port in chosen]
