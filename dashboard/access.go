package dashboard

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net"
	"net/http"
	"strings"

	"padron/internal/config"
)

// policy is the Content-Security-Policy of every answer: nothing but this
// server's own script, style, images and data, and nothing inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors "

// guard sets the headers of every answer and refuses those who may not read.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		ancestors := "'none'"
		if embedded(r) && s.Embed != "none" {
			ancestors = cmp.Or(s.Embed, "*") // a chart is meant to be shown elsewhere
		} else {
			h.Set("X-Frame-Options", "DENY")
		}
		h.Set("Content-Security-Policy", policy+ancestors)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			s.fail(w, r, &failure{status: http.StatusMethodNotAllowed, key: "method"})
			return
		}
		switch {
		case r.URL.Path == "/healthz" || strings.HasPrefix(r.URL.Path, "/static/"):
		case s.Token == "" && !s.Public && !localHost(r.Host):
			// DNS rebinding: another site may give its own name the address of
			// this machine, and so read what only this machine may.
			s.fail(w, r, &failure{status: http.StatusForbidden, key: "host", values: []any{shorten(r.Host)}})
			return
		case s.Token != "" && s.enter(w, r):
			return
		}
		next.ServeHTTP(w, r)
	})
}

// embedded says whether one chart is asked for, to be shown in another page.
func embedded(r *http.Request) bool { return r.URL.Query().Get("embed") == "1" }

// encrypted says whether the reader's connection is encrypted, to this server
// or to a proxy in front of it.
func encrypted(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// localHost says whether a request's Host is a name of this machine's loopback
// interface.
func localHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return config.Loopback(strings.Trim(host, "[]"))
}

// cookieName is the cookie of a reader who has shown the token.
const cookieName = "padron_dashboard"

// enter says whether it has answered the request: with a refusal when the token
// is missing, or with a redirect when the token is in the address. It then
// moves the token into a cookie, so that it does not stay in the address.
func (s *Server) enter(w http.ResponseWriter, r *http.Request) (answered bool) {
	w.Header().Add("Vary", "Cookie, Authorization")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && equal(bearer, s.Token) {
		return false
	}
	if cookie, err := r.Cookie(cookieName); err == nil && equal(cookie.Value, s.pass()) {
		return false
	}
	query := r.URL.Query()
	if s.unlocked(r.URL.Path, query) {
		return false
	}
	if query.Has("token") && equal(query.Get("token"), s.Token) {
		if embedded(r) || strings.HasPrefix(r.URL.Path, "/data/") || r.URL.Path == feedPath {
			return false // frames of other sites, feed readers and programs keep no cookies
		}
		http.SetCookie(w, &http.Cookie{
			Name: cookieName, Value: s.pass(), Path: "/", HttpOnly: true, Secure: encrypted(r), SameSite: http.SameSiteLaxMode,
		})
		query.Del("token")
		to := *r.URL
		to.Scheme, to.Host, to.RawQuery = "", "", query.Encode()
		// A browser takes an address that begins with two slashes for another
		// server's.
		http.Redirect(w, r, "/"+strings.TrimLeft(to.RequestURI(), "/\\"), http.StatusSeeOther)
		return true
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="padron"`)
	s.fail(w, r, &failure{status: http.StatusUnauthorized, key: "token"})
	return true
}

// pass is the value of the cookie: it proves the token without containing it.
func (s *Server) pass() string {
	sum := sha256.Sum256([]byte("padron dashboard\x00" + s.Token))
	return hex.EncodeToString(sum[:])
}

// equal compares in constant time.
func equal(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
