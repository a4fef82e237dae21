#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make.py FOLDER: writes a corpus of pasted texts, and FOLDER/verdicts, what intake must say of each.

Run once; the outcome is committed. Needs ssh-keygen (OpenSSH 9.2, which still makes DSA), openssl and puttygen. The
private keys are made here for the corpus alone and open nothing.

A line of verdicts: NAME, "ok", fingerprint, label, notes ("-" for none); or NAME, "no", code, piece of the sentence.
The fingerprints are those that ssh-keygen prints of the key's own .pub file.
"""

import atexit
import base64
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

OUT = pathlib.Path(sys.argv[1])
WORK = pathlib.Path(tempfile.mkdtemp())
atexit.register(shutil.rmtree, WORK)
KEYS_H = (pathlib.Path(__file__).parent.parent / "keys.h").read_text()
PRIVATE = "this is your PRIVATE key; it was not kept; make a new pair and paste the .pub file"
CERTIFICATE = "this is a certificate; paste id_....pub"
verdicts = []


def run(*argv, data=None):
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def write(name, text):
    assert not (OUT / name).exists(), name
    (OUT / name).write_bytes(text.encode() if isinstance(text, str) else text)


def ok(name, text, fingerprint, label="anna@laptop", notes="-"):
    write(name, text)
    verdicts.append((name, "ok", fingerprint, label or "-", notes))


def no(name, text, piece, code="invalid"):
    write(name, text)
    verdicts.append((name, "no", code, piece))


class Pair:
    """A key pair of ssh-keygen's."""

    def __init__(self, name, *how):
        self.path = WORK / name
        run("ssh-keygen", "-q", "-N", "", "-C", "anna@laptop", "-f", str(self.path), *how)
        self.line = self.path.with_name(name + ".pub").read_text()
        self.type, self.body, _ = self.line.split()
        self.fingerprint = fingerprint(self.line)

    def private(self):
        return self.path.read_bytes()

    def export(self, form):
        return run("ssh-keygen", "-e", "-m", form, "-f", str(self.path) + ".pub").decode()

    def rewritten(self, *how):
        """The private key in another of ssh-keygen's forms."""
        copy = WORK / "copy"
        copy.unlink(missing_ok=True)
        copy.write_bytes(self.private())
        copy.chmod(0o600)
        run("ssh-keygen", "-q", "-p", "-P", "", "-f", str(copy), *how)
        return copy.read_bytes()


def fingerprint(line):
    path = WORK / "line.pub"
    path.write_text(line)
    return run("ssh-keygen", "-lf", str(path)).decode().split()[1]


def string(data):
    return len(data).to_bytes(4, "big") + data


def blob(*words):
    return base64.b64encode(b"".join(map(string, words))).decode()


def wrap(text, width, end="\n", indent=""):
    return end.join(indent + text[i:i + width] for i in range(0, len(text), width)) + end


def constants():
    """The keys of keys.h: name -> line, and the bad ones with a part of the reason."""
    def strings(source):
        return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', source))

    named = {name: strings(body) for name, body in
             re.findall(r"#define (KEY_\w+)((?:[^\n]*\\\n)*[^\n]*)", KEYS_H)}
    table = KEYS_H[KEYS_H.index("bad_keys[][2]"):]
    bad = [(strings(body), piece) for body, piece in re.findall(r'\{((?:\s*"[^"]*")+),\s*"([^"]*)"\}', table)]
    return named, bad


ed = Pair("ed25519", "-t", "ed25519")
rsa = Pair("rsa2048", "-t", "rsa", "-b", "2048")
rsa3 = Pair("rsa3072", "-t", "rsa", "-b", "3072")
ec = {bits: Pair(f"nistp{bits}", "-t", "ecdsa", "-b", str(bits)) for bits in (256, 384, 521)}
dsa = Pair("dsa", "-t", "dsa")
small = Pair("rsa1024", "-t", "rsa", "-b", "1024")
other = Pair("other", "-t", "ed25519")
NAMED, BAD = constants()
ALL = [ed, rsa, rsa3, *ec.values()]


def plain():
    for pair in ALL:
        ok(f"line-{pair.path.name}", pair.line, pair.fingerprint)
    for name in ("SK_ED25519", "SK_NISTP256"):
        ok(f"line-{name.lower()}", NAMED[f"KEY_{name}"] + " token\n", fingerprint(NAMED[f"KEY_{name}"]), "token")
    bare = f"{ed.type} {ed.body}"
    big = f"ssh-rsa {blob(b'ssh-rsa', bytes([1, 0, 1]), bytes([0]) + bytes([0xc5] * 2047) + bytes([0x0b]))}"
    ok("line-rsa16384", big + " anna@laptop\n", fingerprint(big))
    ok("line-crlf", ed.line.replace("\n", "\r\n"), ed.fingerprint)
    ok("line-cr", ed.line.replace("\n", "\r"), ed.fingerprint)
    ok("line-without-newline", ed.line.strip(), ed.fingerprint)
    ok("line-indented", "    " + ed.line, ed.fingerprint)
    ok("line-indented-by-tab", "\t" + ed.line, ed.fingerprint)
    ok("line-among-empty-lines", "\n\r\n  \n" + ed.line + "\n\n", ed.fingerprint)
    ok("line-without-comment", bare + "\n", ed.fingerprint, "")
    ok("line-trailing-blanks", bare + "   \t \n", ed.fingerprint, "")
    ok("line-tabs-between", f"{ed.type}\t{ed.body}\tanna@laptop\n", ed.fingerprint)
    ok("line-many-blanks-between", f"{ed.type}     {ed.body}    anna@laptop\n", ed.fingerprint)
    ok("line-comment-of-words", f"{bare} Anna's laptop, 2nd\n", ed.fingerprint, "Anna's laptop, 2nd")
    ok("line-comment-utf8", f"{bare} Jürgen Müßig 鍵\n", ed.fingerprint, "Jürgen Müßig 鍵")
    ok("line-comment-latin1", (bare + " Müller\n").encode("latin1"), ed.fingerprint, "Mller")
    ok("line-comment-of-150-bytes", f"{bare} {'x' * 150}\n", ed.fingerprint, "x" * 128)
    ok("line-comment-with-a-type", f"{bare} ssh-rsa is better\n", ed.fingerprint, "ssh-rsa is better")
    ok("line-comment-my-private-key", f"{bare} my private key pair\n", ed.fingerprint, "my private key pair")
    ok("line-comment-backslash", f"{bare} CORP\\nina\n", ed.fingerprint, "CORP\\nina")
    ok("line-comment-begin", f"{bare} front-end - begin here\n", ed.fingerprint, "front-end - begin here")
    ok("line-rsa-padded", f"{rsa.type} {rsa.body} anna@laptop\n", rsa.fingerprint)
    for name, text in (("nistp256", ec[256]), ("rsa4096", NAMED["KEY_RSA4096"])):
        line = text.line if isinstance(text, Pair) else text + " anna@laptop\n"
        kind, body = line.split()[:2]
        assert body.endswith("="), name
        ok(f"line-{name}-padding-lost", f"{kind} {body.rstrip('=')} anna@laptop\n", fingerprint(line), notes="padding")


def wrapped():
    for width in (70, 76, 80):
        ok(f"wrapped-{width}", wrap(rsa.line.strip(), width), rsa.fingerprint, notes="joined")
    # Here the comment is broken too: its first half is the label.
    ok("wrapped-64", wrap(rsa.line.strip(), 64), rsa.fingerprint, "ann", "joined,around")
    ok("wrapped-in-the-padding", f"{ec[256].type} {ec[256].body[:-1]}\n= anna@laptop\n", ec[256].fingerprint)
    ok("wrapped-crlf", wrap(rsa.line.strip(), 72, "\r\n"), rsa.fingerprint, notes="joined")
    ok("wrapped-cr", wrap(rsa.line.strip(), 72, "\r"), rsa.fingerprint, notes="joined")
    ok("wrapped-indented", wrap(rsa.line.strip(), 60, indent="        "), rsa.fingerprint, notes="joined")
    ok("wrapped-quoted-by-mail", wrap(rsa.line.strip(), 72, indent="> "), rsa.fingerprint, notes="joined")
    ok("wrapped-quoted-twice", wrap(rsa.line.strip(), 72, indent=">> "), rsa.fingerprint, notes="joined")
    ok("wrapped-at-the-blanks", ed.line.replace(" ", "\n"), ed.fingerprint)
    ok("wrapped-type-alone", f"{rsa.type}\n{rsa.body} anna@laptop\n", rsa.fingerprint)
    ok("wrapped-empty-lines-between", wrap(rsa.line.strip(), 72, "\n\n"), rsa.fingerprint, notes="joined")
    ok("wrapped-with-blanks", f"{rsa.type} {wrap(rsa.body, 64, ' ')}anna@laptop\n", rsa.fingerprint, notes="joined")
    ok("wrapped-once", f"{ed.type} {ed.body[:30]}\n{ed.body[30:]} anna@laptop\n", ed.fingerprint, notes="joined")
    ok("wrapped-in-the-first-characters", f"{ed.type} {ed.body[:9]}\n{ed.body[9:]} anna@laptop\n", ed.fingerprint,
       notes="joined")
    ok("wrapped-last-characters", f"{ed.type} {ed.body[:-3]}\n{ed.body[-3:]} anna@laptop\n", ed.fingerprint, notes="joined")
    for bits, pair in ec.items():
        ok(f"wrapped-nistp{bits}", wrap(pair.line.strip(), 50), pair.fingerprint, notes="joined")


def alone():
    for pair in ALL:
        ok(f"alone-{pair.path.name}", pair.body + "\n", pair.fingerprint, "", "type")
    for name in ("SK_ED25519", "SK_NISTP256"):
        line = NAMED[f"KEY_{name}"]
        ok(f"alone-{name.lower()}", line.split()[1], fingerprint(line), "", "type")
    ok("alone-with-comment", f"{ed.body} anna@laptop", ed.fingerprint, notes="type")
    ok("alone-wrapped", wrap(rsa.body, 64), rsa.fingerprint, "", "type,joined")
    ok("alone-indented", f"   {ed.body}\r\n", ed.fingerprint, "", "type")
    ok("type-first-letters-missed", ed.line[2:], ed.fingerprint, notes="type")
    ok("type-without-ssh", ed.line[4:], ed.fingerprint, notes="type")
    ok("type-capital", "S" + ed.line[1:], ed.fingerprint, notes="type")
    ok("type-capitals", ed.line.replace("ssh-ed25519", "SSH-ED25519"), ed.fingerprint, notes="type")


def encodings():
    for order in ("le", "be"):
        mark = "\ufeff".encode(f"utf-16-{order}")
        for pair in (ed, rsa):
            text = pair.line.replace("\n", "\r\n").encode(f"utf-16-{order}")
            ok(f"utf16{order}-bom-{pair.path.name}", mark + text, pair.fingerprint, notes="encoding")
            ok(f"utf16{order}-{pair.path.name}", text, pair.fingerprint, notes="encoding")
        ok(f"utf16{order}-lone-newline", ed.line.strip().encode(f"utf-16-{order}") + b"\n", ed.fingerprint, notes="encoding")
        ok(f"utf16{order}-pkcs8", mark + rsa.export("PKCS8").encode(f"utf-16-{order}"), rsa.fingerprint, "",
           "encoding,converted")
        no(f"utf16{order}-nul", mark + (ed.line + "\0").encode(f"utf-16-{order}"), "NUL")
        no(f"private-utf16{order}", mark + ed.private().decode().encode(f"utf-16-{order}"), PRIVATE)
    ok("utf16le-comment", "\ufeffX".encode("utf-16-le")[:2] + f"{ed.type} {ed.body} Zoë 🔑\r\n".encode("utf-16-le"),
       ed.fingerprint, "Zoë 🔑", "encoding")
    ok("utf16le-broken-surrogate", f"{ed.type} {ed.body} ab".encode("utf-16-le") + b"\x00\xd8" + "c".encode("utf-16-le"),
       ed.fingerprint, "ab\ufffdc", "encoding")
    ok("utf8-bom", "\ufeff" + ed.line, ed.fingerprint, notes="encoding")
    ok("utf8-bom-rsa-crlf", ("\ufeff" + rsa.line).replace("\n", "\r\n"), rsa.fingerprint, notes="encoding")
    ok("utf8-bom-pkcs8", "\ufeff" + rsa.export("PKCS8"), rsa.fingerprint, "", "encoding,converted")
    ok("utf8-bom-between", f"{ed.type} \ufeff{ed.body} anna@laptop\n", ed.fingerprint, notes="invisible")


def typography():
    type_, body = ed.type, ed.body
    for name, blank in (("nbsp", "\u00a0"), ("thin", "\u2009"), ("narrow", "\u202f"), ("ideographic", "\u3000"), ("em", "\u2003")):
        ok(f"blank-{name}", f"{type_}{blank}{body}{blank}anna@laptop\n", ed.fingerprint, notes="blanks")
    ok("blank-nbsp-in-front", f"\u00a0\u00a0{ed.line}", ed.fingerprint, notes="blanks")
    ok("blank-nbsp-windows", f"{type_} {body}".encode() + b"\xa0anna@laptop\n", ed.fingerprint, notes="blanks")
    ok("blank-line-separator", wrap(rsa.line.strip(), 72, "\u2028"), rsa.fingerprint, notes="blanks,joined")
    ok("blank-next-line", wrap(rsa.line.strip(), 72, "\u0085"), rsa.fingerprint, notes="blanks,joined")
    for name, char in (("zero-width-space", "\u200b"), ("joiner", "\u200d"), ("word-joiner", "\u2060"),
                       ("soft-hyphen", "\u00ad"), ("right-to-left", "\u202e"), ("variation", "\ufe0f")):
        ok(f"invisible-{name}", f"{type_} {body[:40]}{char}{body[40:]} anna@laptop\n", ed.fingerprint, notes="invisible")
    ok("invisible-in-the-type", f"ssh\u200b-ed25519 {body} anna@laptop\n", ed.fingerprint, notes="invisible")
    ok("invisible-in-front", f"\u200b{ed.line}", ed.fingerprint, notes="invisible")
    for name, dash in (("en", "\u2013"), ("em", "\u2014"), ("hyphen", "\u2010"), ("unbroken", "\u2011"), ("minus", "\u2212"),
                       ("wide", "\uff0d")):
        ok(f"dash-{name}", ec[256].line.replace("-", dash, 2), ec[256].fingerprint, notes="quotes")
    ok("dash-windows", b"ssh\x96ed25519 " + body.encode() + b" anna@laptop\n", ed.fingerprint, notes="quotes")
    for name, a, b in (("double", "\u201c", "\u201d"), ("single", "\u2018", "\u2019"), ("low", "\u201e", "\u201c"),
                       ("guillemets", "\u00ab", "\u00bb")):
        ok(f"quotes-{name}", f"{a}{type_} {body} anna@laptop{b}\n", ed.fingerprint, notes="quotes")
    ok("quotes-windows", b"\x93" + ed.line.strip().encode() + b"\x94\n", ed.fingerprint, notes="quotes")
    ok("quotes-in-the-comment", f"{type_} {body} Anna\u2019s laptop\n", ed.fingerprint, "Anna's laptop", "quotes")
    ok("quotes-in-the-options", f"from=\u201c10.0.0.0/8\u201d {ed.line}", ed.fingerprint, notes="quotes,options")
    ok("quotes-plain", f'"{ed.line.strip()}"\n', ed.fingerprint)
    ok("quotes-plain-single", f"'{ed.line.strip()}'\n", ed.fingerprint)
    ok("quotes-json-member", f'"{ed.line.strip()}",\n', ed.fingerprint)
    ok("quotes-json-newline", f'"{ed.line.strip()}\\n"', ed.fingerprint)
    ok("quotes-backticks", f"`{ed.line.strip()}`\n", ed.fingerprint)
    ok("quotes-fence", f"```\n{ed.line}```\n", ed.fingerprint)
    ok("quotes-body-alone", f'"{body}"', ed.fingerprint, "", "type")
    ok("mark-list", f"- {ed.line}", ed.fingerprint)
    ok("mark-bullet", f"* {ed.line}", ed.fingerprint)
    ok("mark-mail", f"> {ed.line}", ed.fingerprint)
    no("dash-in-the-base64", f"{type_} {body[:40]}\u2014{body[41:]} anna@laptop\n", "is not base64")
    no("quote-in-the-base64", f"{type_} {body[:40]}\u2019{body[41:]} anna@laptop\n", "cut off after 40 characters")
    no("base64-of-urls", f"{type_} {blob(b'ssh-ed25519', bytes([0xfb] * 32)).replace('+', '-')}", "is not base64")


def options():
    for name, text in (("restrict", "restrict"), ("from", 'from="203.0.113.0/24,!203.0.113.7"'), ("command", 'command="echo a, \\"b\\" c"'),
                       ("environment", 'environment="A=b c"'), ("expiry", 'expiry-time="20300101"'), ("no-pty", "no-pty"),
                       ("several", 'no-agent-forwarding,from="*.example.com",no-X11-forwarding,command="/bin/true"'),
                       ("upper-case", 'FROM="10.0.0.1",No-PTY'), ("permitopen", 'permitopen="localhost:80",permitlisten="8080"'),
                       ("key-in-quotes", 'command="ssh-rsa AAAA"')):
        ok(f"options-{name}", f"{text} {ed.line}", ed.fingerprint, notes="options")
    ok("options-and-base64-alone", f"restrict {ed.body}", ed.fingerprint, "", "options,type")
    no("options-unknown", f"nonsense {ed.line}", "stands before the key")
    no("options-open-quote", f'command="x {ed.line}', "stands before the key")
    no("before-prompt", f"$ cat .ssh/id_ed25519.pub {ed.line}", "stands before the key")
    no("before-host", f"github.com,192.0.2.1 {ed.line}", "stands before the key")
    no("before-yaml", f"key: {ed.line}", "stands before the key")
    no("before-number-sign", f"# {ed.line}", "there is a # before it")
    ok("around-prompt", f"$ cat .ssh/id_ed25519.pub\n{ed.line}$ \n", ed.fingerprint, notes="around")
    ok("around-comment-line", f"# my laptop\n{ed.line}", ed.fingerprint, notes="around")
    ok("around-greeting", f"Hello,\nhere is my key:\n\n{ed.line}\nBest wishes, Anna\n", ed.fingerprint, notes="around")
    ok("around-wrapped", f"Hello,\n{wrap(rsa.line.strip(), 72)}\nAnna Example\n", rsa.fingerprint, notes="around,joined")


def rfc4716():
    for pair in ALL:
        ok(f"rfc4716-{pair.path.name}", pair.export("RFC4716"), pair.fingerprint, comment_of(pair.export("RFC4716")), "converted")
        put = run("puttygen", str(pair.path), "-O", "public").decode()
        assert "BEGIN SSH2 PUBLIC KEY" in put
        ok(f"rfc4716-puttygen-{pair.path.name}", put, pair.fingerprint, comment_of(put), "converted")
    text = run("puttygen", str(rsa.path), "-O", "public", "-C", "rsa-key-20261121").decode()
    label = "rsa-key-20261121"
    begin, end = "---- BEGIN SSH2 PUBLIC KEY ----\n", "---- END SSH2 PUBLIC KEY ----\n"
    body = wrap(rsa.body, 64)
    ok("rfc4716-crlf", text.replace("\n", "\r\n"), rsa.fingerprint, label, "converted")
    ok("rfc4716-indented", "".join(f"    {line}\n" for line in text.splitlines()), rsa.fingerprint, label, "converted")
    ok("rfc4716-one-line", " ".join(text.split("\n")), rsa.fingerprint, label, "converted")
    ok("rfc4716-newlines-lost", text.replace("\n", ""), rsa.fingerprint, label, "converted")
    ok("rfc4716-no-header", begin + body + end, rsa.fingerprint, "", "converted")
    ok("rfc4716-long-header", begin + 'Comment: "This is my public key for use on \\\nservers which I don\'t like."\n' + body + end,
       rsa.fingerprint, "This is my public key for use on", "converted")
    ok("rfc4716-headers", begin + 'Subject: anna\nComment: front-end\nx-tag: 1\n' + body + end, rsa.fingerprint, "front-end", "converted")
    ok("rfc4716-no-end", text[:text.index("---- END")], rsa.fingerprint, label, "converted")
    ok("rfc4716-em-dashes", text.replace("----", "\u2014\u2014"), rsa.fingerprint, label, "quotes,converted")
    ok("rfc4716-smart-comment", text.replace(f'"{label}"', f"\u201c{label}\u201d"), rsa.fingerprint, label, "quotes,converted")
    ok("rfc4716-around", f"My key:\n\n{text}\nAnna\n", rsa.fingerprint, label, "converted,around")
    ok("rfc4716-lower-case", text.replace("BEGIN SSH2 PUBLIC KEY", "Begin SSH2 Public Key"), rsa.fingerprint, label, "converted")
    ok("rfc4716-utf16", ("\ufeff" + text).encode("utf-16-le"), rsa.fingerprint, label, "encoding,converted")
    ok("rfc4716-bom", "\ufeff" + text, rsa.fingerprint, label, "encoding,converted")
    lines = text.splitlines(True)
    no("rfc4716-cut", "".join(lines[:4]) + lines[-1], "cut off after 128 characters")
    no("rfc4716-cut-no-end", "".join(lines[:4]), "cut off after 128 characters")
    no("rfc4716-empty", begin + end, "no key between BEGIN and END")
    no("rfc4716-dsa", dsa.export("RFC4716"), "DSA keys are too weak")
    no("rfc4716-rsa1024", small.export("RFC4716"), "1024 bits")


def comment_of(text):
    found = re.search(r'^Comment: "?([^"\n]*)', text, re.M)
    return found.group(1) if found else ""


def openssl_pair(name, *how):
    path = WORK / name
    run("openssl", "genpkey", "-out", str(path), *how)
    return path


def public(path, *how):
    return run("openssl", "pkey", "-in", str(path), "-pubout", *how).decode()


def pem():
    # ed25519 is beyond ssh-keygen -i of 9.2, so its line is made from the 32 bytes at the end of the DER.
    own = openssl_pair("openssl-ed25519", "-algorithm", "ed25519")
    raw = run("openssl", "pkey", "-in", str(own), "-pubout", "-outform", "DER")[-32:]
    line = f"ssh-ed25519 {blob(b'ssh-ed25519', raw)}"
    ok("pkcs8-openssl-ed25519", public(own), fingerprint(line), "", "converted")
    for pair in (rsa, rsa3, *ec.values()):
        ok(f"pkcs8-{pair.path.name}", pair.export("PKCS8"), pair.fingerprint, "", "converted")
    for pair in (rsa, rsa3):
        ok(f"pkcs1-{pair.path.name}", pair.export("PEM"), pair.fingerprint, "", "converted")
    made = openssl_pair("openssl-rsa", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
    write_openssl("pkcs8-openssl-rsa", public(made))
    write_openssl("pkcs1-openssl-rsa", run("openssl", "rsa", "-in", str(made), "-RSAPublicKey_out").decode(), "PEM")
    for curve in ("P-256", "P-384", "P-521"):
        made = openssl_pair(f"openssl-{curve}", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
        write_openssl(f"pkcs8-openssl-{curve}", public(made))
    text = rsa.export("PKCS8")
    for name, changed, notes in (
            ("crlf", text.replace("\n", "\r\n"), "converted"), ("one-line", " ".join(text.split("\n")), "converted"),
            ("newlines-lost", text.replace("\n", ""), "converted"), ("json", text.replace("\n", "\\n"), "converted"),
            ("quoted-by-mail", "".join(f"> {line}\n" for line in text.splitlines()), "converted"),
            ("indented", "".join(f"\t{line}\n" for line in text.splitlines()), "converted"),
            ("em-dashes", text.replace("-----", "\u2014\u2014-"), "quotes,converted"),
            ("nbsp", text.replace("PUBLIC KEY", "PUBLIC\u00a0KEY"), "blanks,converted"),
            ("padding-lost", text.replace("=", ""), "converted"),
            ("around", f"Here:\n{text}Anna\n", "converted,around"),
            ("no-end", text[:text.index("-----END")], "converted"),
            ("bare", "".join(text.splitlines(True)[1:-1]), "converted")):
        ok(f"pkcs8-{name}", changed, rsa.fingerprint, "", notes)
    ok("pkcs8-bare-nistp256", "".join(ec[256].export("PKCS8").splitlines()[1:-1]), ec[256].fingerprint, "", "converted")
    ok("pkcs1-bare", "".join(rsa.export("PEM").splitlines(True)[1:-1]), rsa.fingerprint, "", "converted")
    ok("pkcs1-called-pkcs8", rsa.export("PEM").replace("RSA PUBLIC", "PUBLIC"), rsa.fingerprint, "", "converted")
    lines = text.splitlines(True)
    no("pkcs8-cut", "".join(lines[:3]) + lines[-1], "cut off after 128 characters")
    no("pkcs8-cut-no-end", "".join(lines[:3]), "cut off after 128 characters")
    no("pkcs8-strange-characters", text.replace(lines[2][:4], "!!!!"), "other characters")
    no("pkcs8-damaged", text.replace(lines[1][:4], "AAAA"), "damaged")
    no("pkcs8-empty", lines[0] + lines[-1], "cut off after 0 characters")
    p256 = WORK / "openssl-P-256"
    no("pkcs8-compressed", run("openssl", "ec", "-in", str(p256), "-pubout", "-conv_form", "compressed"), "compressed")
    no("pkcs8-explicit-curve", run("openssl", "ec", "-in", str(p256), "-pubout", "-param_enc", "explicit"), "curve is none")
    for name, piece, *how in (
            ("secp256k1", "curve is none", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"), ("ed448", "ssh-ed448", "ed448"),
            ("x25519", "cannot sign", "x25519"), ("x448", "cannot sign", "x448"),
            ("rsa-pss", "PSS", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"),
            ("rsa1024", "1024 bits", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")):
        no(f"pkcs8-{name}", public(openssl_pair(f"weak-{name}", "-algorithm", *how)), piece)
    path = WORK / "dsa-pem"
    path.write_bytes(dsa.rewritten("-N", "", "-m", "PEM"))
    no("pkcs8-dsa", public(path), "DSA keys are too weak")


def write_openssl(name, text, form="PKCS8"):
    path = WORK / "pem"
    path.write_text(text)
    ok(name, text, fingerprint(run("ssh-keygen", "-i", "-m", form, "-f", str(path)).decode()), "", "converted")


def private():
    for pair in (ed, rsa, ec[256], ec[521], dsa):
        no(f"private-openssh-{pair.path.name}", pair.private(), PRIVATE)
    no("private-openssh-encrypted", ed.rewritten("-N", "throwaway"), PRIVATE)
    for pair in (rsa, ec[256], dsa):
        no(f"private-pem-{pair.path.name}", pair.rewritten("-N", "", "-m", "PEM"), PRIVATE)
        no(f"private-pem-encrypted-{pair.path.name}", pair.rewritten("-N", "throwaway", "-m", "PEM"), PRIVATE)
        no(f"private-pkcs8-{pair.path.name}", pair.rewritten("-N", "", "-m", "PKCS8"), PRIVATE)
    no("private-pkcs8-encrypted", rsa.rewritten("-N", "throwaway", "-m", "PKCS8"), PRIVATE)
    no("private-pkcs8-ed25519", (WORK / "openssl-ed25519").read_bytes(), PRIVATE)
    no("private-pkcs8-text", run("openssl", "pkey", "-in", str(WORK / "openssl-rsa"), "-text", "-noout"), PRIVATE)
    word = WORK / "passphrase"
    word.write_text("throwaway\n")
    for pair in (ed, rsa, ec[256]):
        for version in ("2", "3"):
            how = ["puttygen", str(pair.path), "-O", "private", "--ppk-param", f"version={version}", "-o", str(WORK / "ppk")]
            run(*how)
            no(f"private-ppk{version}-{pair.path.name}", (WORK / "ppk").read_bytes(), PRIVATE)
    run("puttygen", str(ed.path), "-O", "private", "--new-passphrase", str(word), "-o", str(WORK / "ppk"))
    ppk = (WORK / "ppk").read_bytes()
    no("private-ppk3-encrypted", ppk, PRIVATE)
    no("private-ppk3-head-lost", ppk[ppk.index(b"Public-Lines"):], PRIVATE)
    no("private-ppk3-utf16", b"\xff\xfe" + ppk.decode().encode("utf-16-le"), PRIVATE)
    run("puttygen", str(rsa.path), "-O", "private-sshcom", "-o", str(WORK / "sshcom"))
    sshcom = (WORK / "sshcom").read_text()
    no("private-sshcom", sshcom, PRIVATE)
    no("private-sshcom-bare", "".join(line + "\n" for line in sshcom.splitlines() if "-" not in line and ":" not in line), PRIVATE)
    run("puttygen", str(rsa.path), "-O", "private-openssh", "-o", str(WORK / "old"))
    no("private-puttygen-openssh", (WORK / "old").read_bytes(), PRIVATE)
    text = ed.private().decode()
    lines = text.splitlines(True)
    no("private-openssh-body-alone", "".join(lines[1:-1]), PRIVATE)
    no("private-openssh-head-alone", lines[0], PRIVATE)
    no("private-openssh-cut", "".join(lines[:3]), PRIVATE)
    no("private-openssh-tail", "".join(lines[2:]), PRIVATE)
    no("private-openssh-crlf", text.replace("\n", "\r\n"), PRIVATE)
    no("private-openssh-one-line", text.replace("\n", " "), PRIVATE)
    no("private-openssh-newlines-lost", text.replace("\n", ""), PRIVATE)
    no("private-openssh-json", text.replace("\n", "\\n"), PRIVATE)
    no("private-openssh-em-dashes", text.replace("-----", "\u2014\u2014-"), PRIVATE)
    no("private-openssh-nbsp", text.replace("PRIVATE KEY", "PRIVATE\u00a0KEY"), PRIVATE)
    no("private-openssh-invisible", text.replace("PRIVATE", "PRI\u200bVATE"), PRIVATE)
    no("private-openssh-lower-case", text.replace("BEGIN OPENSSH PRIVATE KEY", "begin openssh private key"), PRIVATE)
    no("private-openssh-bom", "\ufeff" + text, PRIVATE)
    no("private-openssh-control-byte", "\x1b" + text, PRIVATE)
    no("private-and-public", text + ed.line, PRIVATE)
    no("private-after-public", ed.line + text, PRIVATE)
    no("private-20kb", text + "x" * 20000, PRIVATE)
    for name, body in (("rsa", rsa.rewritten("-N", "", "-m", "PEM")), ("pkcs8", rsa.rewritten("-N", "", "-m", "PKCS8")),
                       ("ec", ec[256].rewritten("-N", "", "-m", "PEM")), ("encrypted", rsa.rewritten("-N", "throwaway", "-m", "PKCS8"))):
        bare = b"".join(body.splitlines(True)[1:-1])
        no(f"private-bare-{name}", bare, PRIVATE)
        no(f"private-called-public-{name}", b"-----BEGIN PUBLIC KEY-----\n" + bare + b"-----END PUBLIC KEY-----\n", PRIVATE)
    no("private-jwk", '{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",\n'
       ' "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}\n', PRIVATE)
    no("private-ssh1", "SSH PRIVATE KEY FILE FORMAT 1.1\n\x00".encode()[:-1] + b"\n", PRIVATE)


def certificates():
    ca = Pair("ca", "-t", "ed25519")
    for pair, kind in ((ed, "user"), (rsa, "user"), (ec[256], "host")):
        how = ["-h"] if kind == "host" else []
        run("ssh-keygen", "-q", "-s", str(ca.path), *how, "-I", "corpus", "-n", "anna", "-z", "1", str(pair.path) + ".pub")
        text = pathlib.Path(f"{pair.path}-cert.pub").read_text()
        no(f"certificate-{kind}-{pair.path.name}", text, CERTIFICATE)
    text = pathlib.Path(f"{ed.path}-cert.pub").read_text()
    no("certificate-base64-alone", text.split()[1], CERTIFICATE)
    no("certificate-wrapped", wrap(text.strip(), 72), CERTIFICATE)
    no("certificate-behind-options", "restrict " + text, CERTIFICATE)
    no("authority", f"cert-authority {ca.line}", CERTIFICATE)
    no("authority-principals", f'cert-authority,principals="anna" {ca.line}', CERTIFICATE)
    no("authority-known-hosts", f"@cert-authority *.example.com {ca.line}", CERTIFICATE)
    no("authority-base64-alone", f"cert-authority {ca.body}", CERTIFICATE)
    x509 = run("openssl", "req", "-x509", "-key", str(WORK / "openssl-rsa"), "-subj", "/CN=corpus", "-days", "1")
    no("certificate-x509", x509, CERTIFICATE)
    no("certificate-x509-request", run("openssl", "req", "-new", "-key", str(WORK / "openssl-rsa"), "-subj", "/CN=corpus"), CERTIFICATE)
    no("two-key-and-certificate", ed.line + text, "which one is meant")


def truncated():
    for n in (4, 10, 25, 26, 40, 67):
        no(f"cut-ed25519-{n}", f"{ed.type} {ed.body[:n]}\n", f"the key is cut off after {n} characters")
    for n in (64, 201, 370):
        no(f"cut-rsa-{n}", f"{rsa.type} {rsa.body[:n]}\n", f"the key is cut off after {n} characters")
    no("cut-with-comment", f"{ed.type} {ed.body[:60]} anna@laptop\n", "the key is cut off after 60 characters")
    no("cut-with-a-word-behind", f"{ed.type} {ed.body[:62]} laptop\n", "the key is cut off after 62 characters")
    no("cut-by-ellipsis", f"{ed.type} {ed.body[:30]}\u2026\n", "the key is cut off after 30 characters")
    no("cut-by-dots", f"{ed.type} {ed.body[:30]}... anna@laptop\n", "the key is cut off after 30 characters")
    no("cut-in-the-middle", f"{rsa.type} {rsa.body[:30]}...{rsa.body[-30:]} anna@laptop\n", "the key is cut off after 30 characters")
    no("cut-base64-alone", ed.body[:50], "the key is cut off after 50 characters")
    no("cut-wrapped", "".join(wrap(rsa.line.strip(), 72).splitlines(True)[:3]), "the key is cut off after")
    no("cut-padded", f"{ed.type} {ed.body[:40]}= anna@laptop\n", "the key is cut off after 40 characters")
    no("cut-type-alone", "ssh-ed25519\n", "cut off after its type")
    no("cut-type-and-comment", "ssh-ed25519 anna@laptop\n", "not base64")
    no("damaged-first-characters", f"{ed.type} !!!!{ed.body[4:]}\n", "not base64")
    no("damaged-in-the-middle", f"{ed.type} {ed.body[:30]}%{ed.body[31:]}\n", "what follows its first 30 characters")
    no("damaged-more-behind", f"{ed.type} {ed.body}AAAA anna@laptop\n", "something follows the key")
    no("damaged-dash-behind", f"{ed.type} {ed.body}-x anna@laptop\n", "something follows the key")
    no("damaged-padding", f"{ed.type} {ed.body}=== anna@laptop\n", "too many =")
    no("type-unlike-rsa", f"ssh-rsa {ed.body} anna@laptop\n", "another type")
    no("type-unlike-ed25519", f"ssh-ed25519 {rsa.body} anna@laptop\n", "another type")
    no("type-unlike-curve", f"ecdsa-sha2-nistp384 {ec[256].body}\n", "another type")
    no("type-unknown", f"ssh-foo {blob(b'ssh-foo', b'x' * 32)}\n", "not an SSH public key")
    no("type-of-a-signature", f"rsa-sha2-512 {rsa.body}\n", "names a signature")


def several():
    for name, first, second in (("lines", ed, other), ("types", rsa, ec[256])):
        no(f"two-{name}", first.line + second.line, f"{first.fingerprint}, {second.type} {second.fingerprint}; which one")
    no("two-on-one-line", f"{ed.line.strip()} {other.line}", f"{ed.fingerprint}, ssh-ed25519 {other.fingerprint}")
    no("two-base64-alone", f"{ed.body}\n{other.body}\n", f"{ed.fingerprint}, ssh-ed25519 {other.fingerprint}")
    no("two-wrapped", wrap(rsa.line.strip(), 72) + wrap(rsa3.line.strip(), 72), f"{rsa.fingerprint}, ssh-rsa {rsa3.fingerprint}")
    no("two-blocks", rsa.export("RFC4716") + ed.export("RFC4716"), f"{rsa.fingerprint}, ssh-ed25519 {ed.fingerprint}")
    no("two-pem", rsa.export("PKCS8") + rsa3.export("PKCS8"), f"{rsa.fingerprint}, ssh-rsa {rsa3.fingerprint}")
    no("two-forms", rsa.export("RFC4716") + ed.line, f"{rsa.fingerprint}, ssh-ed25519 {ed.fingerprint}")
    no("two-and-one-cut", f"{ed.line}ssh-rsa {rsa.body[:40]}\n", "(refused)")
    no("two-and-one-bare-type", f"{ed.line}ssh-rsa AAAA\n", "(refused)")
    no("two-and-dsa", ed.line + dsa.line, "(refused)")
    no("two-with-options", f'restrict {ed.line}from="10.0.0.1" {other.line}', "which one is meant")
    no("ten", "".join(pair.line for pair in (*ALL, other)) + NAMED["KEY_ED25519"] + "\n" + NAMED["KEY_RSA2048"] + "\n" +
       NAMED["KEY_NISTP256"] + "\n", "there are 8 or more keys")
    ok("twice-the-same", ed.line + ed.line, ed.fingerprint, notes="twice")
    ok("twice-in-two-forms", rsa.line + rsa.export("RFC4716"), rsa.fingerprint, notes="twice")


def weak():
    for number, (line, piece) in enumerate(BAD):
        if not line.split()[1].startswith("AAAA"):
            piece = "not base64 of a key"
        piece = {"cut off": "cut off after", "certificate": CERTIFICATE}.get(piece, piece)
        no(f"weak-{number:02}", line + "\n", piece)
    no("weak-dsa", dsa.line, "DSA keys are too weak")
    no("weak-dsa-base64-alone", dsa.body, "DSA keys are too weak")
    no("weak-rsa1024", small.line, "1024 bits")
    no("weak-rsa1024-wrapped", wrap(small.line.strip(), 72), "1024 bits")
    no("weak-rsa1024-pkcs1", small.export("PEM"), "1024 bits")


def nothing():
    for name, text, piece in (
            ("empty", "", "empty"), ("blanks", " \r\n\t \n", "empty"), ("invisible", "\u200b\ufeff\n", "empty"),
            ("words", "hello", "not an SSH public key"), ("html", "<p>key</p>", "not an SSH public key"),
            ("fingerprint", ed.fingerprint, "fingerprint"), ("fingerprint-line", f"256 {ed.fingerprint} anna@laptop (ED25519)\n", "fingerprint"),
            ("fingerprint-md5", "MD5:9e:6f:2c:5a:00:11:22:33:44:55:66:77:88:99:aa:bb\n", "fingerprint"),
            ("picture", "+--[ED25519 256]--+\n|      o.         |\n+----[SHA256]-----+\n", "picture of a fingerprint"),
            ("file-name", "~/.ssh/id_ed25519.pub\n", "name of a file"), ("file-name-windows", "C:\\Users\\anna\\.ssh\\id_rsa.pub", "name of a file"),
            ("command", "ssh-keygen -t ed25519\n", "a command"), ("json", '{"key": "none"}', "JSON"),
            ("ssh1", "1024 65537 " + "1234567890" * 30 + " anna\n", "first protocol"),
            ("pgp", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n-----END PGP PUBLIC KEY BLOCK-----\n", "PGP"),
            ("parameters", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n", "no public key"),
            ("signature", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n", "no public key"),
            ("escape", f"{ed.type} {ed.body} \x1b[31mred\n", "control byte"), ("delete", f"{ed.line.strip()}\x7f\n", "control byte"),
            ("nul", f"{ed.line.strip()}\0junk\n", "NUL"), ("nul-behind", ed.line + "\0", "NUL"),
            ("20-kb", f"{ed.line.strip()}{'x' * 20000}\n", "8192 bytes"), ("20-kb-body", f"{ed.type} {blob(b'ssh-ed25519', b'x' * 15000)}", "8192 bytes"),
            ("base64", base64.b64encode(b"no key at all, but a text that somebody encoded").decode(), "not an SSH public key")):
        no(f"none-{name}", text, piece)
    no("none-bytes", bytes(range(128, 256)), "not an SSH public key")


for part in (plain, wrapped, alone, encodings, typography, options, rfc4716, pem, private, certificates, truncated, several, weak, nothing):
    part()
(OUT / "verdicts").write_text(
    "# What intake says of each text beside this file; made by make.py. Every private key here was made for this corpus\n"
    "# alone, is public with it, and opens nothing.\n" + "".join("\t".join(row) + "\n" for row in verdicts))
print(len(verdicts), "texts,", sum(row[1] == "ok" for row in verdicts), "accepted")
