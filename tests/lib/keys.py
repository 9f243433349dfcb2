"""Key pairs of an identity provider, made by openssl when a test runs, and
the tokens they sign."""

import base64
import json
import os
import subprocess

GENERATE = {
    'RS256': ('RSA', '-pkeyopt', 'rsa_keygen_bits:2048'),
    'ES256': ('EC', '-pkeyopt', 'ec_paramgen_curve:P-256'),
    'EdDSA': ('ED25519',),
}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def openssl(*arguments, data=None):
    return subprocess.run(('openssl',) + arguments, input=data, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


class Key:
    """private and public are files below the directory; options go to
    `openssl genpkey -algorithm` in place of the usual ones."""

    def __init__(self, directory, alg, kid=None, options=None):
        self.alg, self.kid = alg, kid
        name = '%s/%s-%s' % (directory, alg, kid)
        self.private, self.public = name + '.key', name + '.pem'
        openssl('genpkey', '-out', self.private, '-algorithm', *(options or GENERATE[alg]))
        openssl('pkey', '-in', self.private, '-pubout', '-out', self.public)

    def pem(self):
        with open(self.public) as f:
            return f.read()

    def jwk(self, **more):
        der = openssl('pkey', '-in', self.private, '-pubout', '-outform', 'DER')
        if self.alg == 'RS256':
            modulus = openssl('rsa', '-in', self.private, '-noout', '-modulus').decode().strip().split('=')[1]
            key = {'kty': 'RSA', 'n': b64(bytes.fromhex(modulus)), 'e': 'AQAB'}
        elif self.alg == 'ES256':
            key = {'kty': 'EC', 'crv': 'P-256', 'x': b64(der[-64:-32]), 'y': b64(der[-32:])}
        else:
            key = {'kty': 'OKP', 'crv': 'Ed25519', 'x': b64(der[-32:])}
        if self.kid:
            key['kid'] = self.kid
        key.update(more)
        return key

    def signature(self, text):
        if self.alg == 'EdDSA':
            path = self.private + '.text'
            with open(path, 'wb') as f:
                f.write(text)
            signed = openssl('pkeyutl', '-sign', '-rawin', '-inkey', self.private, '-in', path)
            os.unlink(path)
            return signed
        return openssl('dgst', '-sha256', '-sign', self.private, data=text)

    def token(self, claims, header=None, der=False):
        """header None: alg, and kid if there is one; der leaves an ES256
        signature as openssl made it."""
        if header is None:
            header = dict({'alg': self.alg}, **({'kid': self.kid} if self.kid else {}))
        text = b64(json.dumps(header).encode()) + '.' + b64(json.dumps(claims).encode())
        signature = self.signature(text.encode())
        if self.alg == 'ES256' and not der:
            signature = raw(signature)
        return text + '.' + b64(signature)


def raw(der):
    """r and s of an ES256 signature, 32 bytes each."""
    at, out = 2, b''
    for _ in range(2):
        length = der[at + 1]
        out += der[at + 2:at + 2 + length].lstrip(b'\0').rjust(32, b'\0')
        at += 2 + length
    return out


def write_jwks(path, *keys):
    """Replaces the file at once, as who fetches it should."""
    with open(path + '.new', 'w') as f:
        json.dump({'keys': list(keys)}, f)
    os.rename(path + '.new', path)
