"""Emails over a real mail server with TLS: what arrives, and what each refusal leads to."""

import asyncio
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme

from auditcast.deliverers.alerts.misfortunes import PostClosed
from auditcast.deliverers.alerts.post import Post, Receipt
from auditcast.kafka.settings import Secret
from auditcast.schemas.errors import Misconfigured
from tests.mailbox import HOST, PASSWORD, Mailbox, Security

OWNER, OTHER = "owner@example.com", "other@example.com"


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def mailbox(ca: trustme.CA) -> Iterator[Mailbox]:
    with Mailbox(ca) as server:
        yield server


def email() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = "alerts@example.com", OWNER, "Down", "<1@x>"
    made.set_content("It is down.")
    return made


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_an_email_arrives_over_tls_after_a_login(ca: trustme.CA, ca_file: str, security: Security) -> None:
    with Mailbox(ca, security) as mailbox:
        post = Post(mailbox.settings(ca_file))
        await post.check()
        assert await post.send(email(), [OWNER]) == Receipt(frozenset([OWNER]))
        assert await post.send(email(), [OWNER, OTHER]) == Receipt(frozenset([OWNER, OTHER]))
        await post.rest()
        await post.rest()
        assert await post.send(email(), [OWNER]) == Receipt(frozenset([OWNER]))
        await post.rest()
    assert mailbox.ids() == ["<1@x>"] * 3
    assert mailbox.recipients[1] == [OWNER, OTHER]


async def test_an_address_that_is_refused_does_not_stop_the_others(mailbox: Mailbox, ca_file: str) -> None:
    mailbox.answers = {OTHER: "550 no such user", "grey@example.com": "451 come back"}
    post = Post(mailbox.settings(ca_file))
    receipt = await post.send(email(), [OTHER, OWNER, "grey@example.com"])
    assert receipt == Receipt(
        frozenset([OWNER]), later={"grey@example.com": "451 come back"}, never={OTHER: "550 no such user"}
    )
    assert await post.send(email(), [OTHER]) == Receipt(frozenset(), never={OTHER: "550 no such user"})
    assert await post.send(email(), [OWNER]) == Receipt(frozenset([OWNER])), "the connection is of use again"
    await post.rest()


@pytest.mark.parametrize(("answer", "lasting"), [("452 disk full", False), ("554 looks like spam", True)])
async def test_content_that_is_refused_is_refused_for_all(
    mailbox: Mailbox, ca_file: str, answer: str, *, lasting: bool
) -> None:
    mailbox.answers = {"DATA": answer}
    post = Post(mailbox.settings(ca_file))
    receipt = await post.send(email(), [OWNER])
    assert receipt == Receipt(frozenset(), **{"never" if lasting else "later": {OWNER: answer}})
    await post.rest()


async def test_a_certificate_that_is_not_the_servers_or_not_trusted_is_refused(ca: trustme.CA, ca_file: str) -> None:
    for name, trusted in (("mail.example.com", ca_file), (HOST, "")):
        for security in ("starttls", "tls"):
            with Mailbox(ca, security, name=name) as mailbox:
                post = Post(mailbox.settings(trusted))
                with pytest.raises(Misconfigured, match=r"the certificate of the mail server .* is refused"):
                    await post.check()
                with pytest.raises(PostClosed, match="AUDITCAST_SMTP_CA_FILE"):
                    await post.send(email(), [OWNER])
            assert mailbox.emails == []


async def test_a_wrong_password_is_said_and_not_shown(mailbox: Mailbox, ca_file: str) -> None:
    post = Post(mailbox.settings(ca_file, smtp_password=Secret("battery-staple")))
    with pytest.raises(Misconfigured, match="refuses the login: check AUDITCAST_SMTP_USERNAME") as refused:
        await post.check()
    assert "battery" not in str(refused.value)
    assert PASSWORD not in repr(mailbox.settings(ca_file))


async def test_tls_with_a_server_that_speaks_none_is_no_delivery_in_clear(mailbox: Mailbox, ca_file: str) -> None:
    with pytest.raises(Misconfigured, match="check AUDITCAST_SMTP_SECURITY"):
        await Post(mailbox.settings(ca_file, smtp_security="tls")).check()


async def test_a_server_that_comes_back_is_used_again(mailbox: Mailbox, ca_file: str) -> None:
    post = Post(mailbox.settings(ca_file))
    await post.send(email(), [OWNER])
    mailbox.close()
    with pytest.raises(PostClosed, match=r"the mail server 127\.0\.0\.1:\d+ cannot be reached"):
        await post.send(email(), [OWNER])
    with pytest.raises(PostClosed, match=r"Connection refused|Connect call failed"):
        await post.send(email(), [OWNER])
    mailbox.open()
    assert await post.send(email(), [OWNER]) == Receipt(frozenset([OWNER]))
    await post.rest()


async def test_a_server_that_says_nothing_is_given_up(ca_file: str, mailbox: Mailbox) -> None:
    with socket.create_server((HOST, 0)) as silent:
        settings = mailbox.settings(ca_file, smtp_port=silent.getsockname()[1], smtp_timeout_ms=200)
        with pytest.raises(PostClosed, match=r"did not answer within 0\.2 s"):
            await Post(settings).send(email(), [OWNER])


async def test_a_late_answer_is_not_taken_for_that_to_the_next_email(mailbox: Mailbox, ca_file: str) -> None:
    post = Post(mailbox.settings(ca_file, smtp_timeout_ms=2_000))
    mailbox.delay_s = 2.5
    with pytest.raises(PostClosed, match="did not answer within 2 s"):
        await post.send(email(), [OWNER])
    mailbox.delay_s = 0
    mailbox.answers = {OTHER: "550 no such user"}
    assert await post.send(email(), [OTHER]) == Receipt(frozenset(), never={OTHER: "550 no such user"})
    await post.rest()


async def test_a_server_that_dribbles_is_given_up(ca_file: str, mailbox: Mailbox) -> None:
    async def dribble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-still here\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(dribble, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = mailbox.settings(ca_file, smtp_port=port, smtp_timeout_ms=300)
        with pytest.raises(PostClosed, match=r"did not answer within 0\.3 s"):
            await Post(settings).send(email(), [OWNER])


def test_a_password_never_travels_in_clear(mailbox: Mailbox, ca_file: str) -> None:
    with pytest.raises(Misconfigured, match="the password would travel in clear"):
        mailbox.settings(ca_file, smtp_security="none")


@pytest.mark.parametrize("address", ["nobody", "a@b\r\nBcc: x@y", "<a@b>", "a b@c", "ä@example.com"])
def test_an_address_that_is_none_is_refused(mailbox: Mailbox, ca_file: str, address: str) -> None:
    with pytest.raises(Misconfigured, match="AUDITCAST_ALERT_TO"):
        mailbox.settings(ca_file, alert_to=(address,))
