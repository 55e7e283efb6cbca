// SPDX-License-Identifier: Apache-2.0
#include "link/tls_sign.h"

#include <limits.h>

#include "base/err.h"

#ifdef MP_WITH_TLS

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

bool mp_sign_is_good(const uint8_t key[MP_SIGN_KEY_BYTES], const void *text, size_t len,
                     const uint8_t signature[MP_SIGN_BYTES])
{
	EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, MP_SIGN_KEY_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good = public != NULL && context != NULL &&
	            EVP_DigestVerifyInit(context, NULL, NULL, NULL, public) == 1 &&
	            EVP_DigestVerify(context, signature, MP_SIGN_BYTES, text, len) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(public);
	ERR_clear_error(); // of this thread: nobody else is to find it
	return good;
}

int mp_sign_new_key(struct mp_buf *pem, uint8_t key[MP_SIGN_KEY_BYTES])
{
	EVP_PKEY *made = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());
	size_t len = MP_SIGN_KEY_BYTES;
	char *text = NULL;
	int rc = MP_ENOMEM;
	if (made != NULL && bio != NULL &&
	    PEM_write_bio_PKCS8PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL) == 1 &&
	    EVP_PKEY_get_raw_public_key(made, key, &len) == 1) {
		long text_len = BIO_get_mem_data(bio, &text);
		mp_buf_bytes(pem, text, (size_t)text_len);
		rc = mp_buf_status(pem);
	}
	BIO_free(bio);
	EVP_PKEY_free(made);
	ERR_clear_error();
	return rc;
}

// Nobody is asked for a passphrase: there may be no terminal, and the loop does not wait for one.
static int no_passphrase(char *buffer, int size, int writes, void *data)
{
	(void)buffer, (void)size, (void)writes, (void)data;
	return -1;
}

int mp_sign_text(const void *pem, size_t pem_len, const void *text, size_t len,
                 uint8_t signature[MP_SIGN_BYTES], uint8_t key[MP_SIGN_KEY_BYTES])
{
	if (pem_len > INT_MAX)
		return MP_EINVAL;
	BIO *bio = BIO_new_mem_buf(pem, (int)pem_len);
	EVP_PKEY *private = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t signature_len = MP_SIGN_BYTES, key_len = MP_SIGN_KEY_BYTES;
	int rc = bio == NULL || context == NULL ? MP_ENOMEM : 0;
	bool fits = private != NULL && EVP_PKEY_is_a(private, "ED25519") == 1;
	if (rc == 0 && !fits)
		rc = MP_EINVAL;
	if (rc == 0 && (EVP_DigestSignInit(context, NULL, NULL, NULL, private) != 1 ||
	                EVP_DigestSign(context, signature, &signature_len, text, len) != 1 ||
	                EVP_PKEY_get_raw_public_key(private, key, &key_len) != 1))
		rc = MP_ENOMEM;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(private);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

#else

bool mp_sign_is_good(const uint8_t key[MP_SIGN_KEY_BYTES], const void *text, size_t len,
                     const uint8_t signature[MP_SIGN_BYTES])
{
	(void)key, (void)text, (void)len, (void)signature;
	return false;
}

int mp_sign_new_key(struct mp_buf *pem, uint8_t key[MP_SIGN_KEY_BYTES])
{
	(void)pem, (void)key;
	return MP_EUNSUPPORTED;
}

int mp_sign_text(const void *pem, size_t pem_len, const void *text, size_t len,
                 uint8_t signature[MP_SIGN_BYTES], uint8_t key[MP_SIGN_KEY_BYTES])
{
	(void)pem, (void)pem_len, (void)text, (void)len, (void)signature, (void)key;
	return MP_EUNSUPPORTED;
}

#endif
