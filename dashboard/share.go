package dashboard

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// keyParameter opens one address, and nothing else, to those who have no token:
// a chart in a page of another site, a feed, the data of a chart.
const keyParameter = "key"

// keyLength is the length of a key in hex digits: 128 bits.
const keyLength = 32

// feedPath is the address of the feed of changes.
const feedPath = "/changes.rss"

// ErrNotShared says that an address cannot be shared by itself.
var ErrNotShared = errors.New("neither one chart, nor data, nor a feed")

// Share is an address of a dashboard, with or without its host, with the key
// that opens it, derived from the dashboard's token. It opens one chart, data or
// feed, whatever the other parameters are, until the token is changed.
//
// Errors: ErrNotShared.
func Share(token, address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%w: not an address", ErrNotShared)
	}
	query := u.Query()
	scope, ok := scopeOf(u.Path, query)
	if !ok {
		return "", ErrNotShared
	}
	query.Del("token")
	query.Set(keyParameter, keyOf(token, scope))
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// scopeOf is what a key of an address opens: data and feeds by their path, a
// chart that is shown alone by its page and id, in every language.
func scopeOf(path string, query url.Values) (scope string, ok bool) {
	if path == feedPath || strings.HasPrefix(path, "/data/") {
		return path, true
	}
	if id := query.Get("chart"); id != "" && query.Get("embed") == "1" {
		for _, lang := range Languages() {
			if page, ok := strings.CutPrefix(path, "/"+lang+"/"); ok {
				return "/" + page + "#" + id, true
			}
		}
	}
	return "", false
}

func keyOf(token, scope string) string {
	sum := hmac.New(sha256.New, []byte(token))
	sum.Write([]byte("padron dashboard share\x00" + scope))
	return hex.EncodeToString(sum.Sum(nil))[:keyLength]
}

// unlocked says whether a request has the key of its address.
func (s *Server) unlocked(path string, query url.Values) bool {
	scope, ok := scopeOf(path, query)
	return ok && query.Has(keyParameter) && equal(query.Get(keyParameter), keyOf(s.Token, scope))
}

// shared is an address with its key, where readers need a token: what is linked
// to from charts and pages is made to be read elsewhere.
func (s *Server) shared(address string) string {
	if s.Token == "" {
		return address
	}
	if with, err := Share(s.Token, address); err == nil {
		return with
	}
	return address
}
