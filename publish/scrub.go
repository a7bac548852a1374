package publish

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// scrub takes every secret out of s, as it is and in the forms in which an
// answer or an error may repeat it. Secrets under 6 bytes are left, as taking
// them out would tear words apart.
func scrub(s string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) < 6 {
			continue
		}
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			s = strings.ReplaceAll(s, form, redacted)
		}
	}
	return s
}

// scrubError takes from err what may hold a secret: the URL that a *url.Error
// prints with path and query, and any of the secrets. What it returns can still
// be asked with errors.Is and errors.As where its text was harmless.
func scrubError(err error, secrets []string) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = u.Err
	}
	if err == nil {
		return nil
	}
	if text := err.Error(); scrub(text, secrets) != text {
		return errors.New(scrub(text, secrets))
	}
	return err
}
