// SPDX-License-Identifier: Apache-2.0
// Signatures of texts: Ed25519 (RFC 8032), by OpenSSL, without a state. In a build without it no signature is good and
// none can be made.
#pragma once

#include "base/buf.h"
#include "base/defs.h"

enum { MP_SIGN_KEY_BYTES = 32, MP_SIGN_BYTES = 64 };

// Is it the signature of exactly this text by the owner of this public key?
bool mp_sign_is_good(const uint8_t key[MP_SIGN_KEY_BYTES], const void *text, size_t len,
                     const uint8_t signature[MP_SIGN_BYTES]);
// A new private key as PEM (PKCS#8), and its public part. MP_ENOMEM, MP_EUNSUPPORTED.
int mp_sign_new_key(struct mp_buf *pem, uint8_t key[MP_SIGN_KEY_BYTES]) MP_MUST_CHECK;
// With a private key as PEM: the signature, and the public part of the key. MP_EINVAL: it is no such key, or wants a
// passphrase; MP_ENOMEM, MP_EUNSUPPORTED.
int mp_sign_text(const void *pem, size_t pem_len, const void *text, size_t len,
                 uint8_t signature[MP_SIGN_BYTES], uint8_t key[MP_SIGN_KEY_BYTES]) MP_MUST_CHECK;
