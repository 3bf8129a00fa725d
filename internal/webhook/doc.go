// Package webhook sends messages to a web address that somebody configured: JSON
// that Slack, Mattermost and similar services show as it is, with the same message
// as data for programs. It sends each message once; it decides neither when there
// is something to tell nor when to try again. It never puts a value of a row into a
// message. Activities, the configuration and the starter may import it.
//
// A message is signed as Standard Webhooks (https://www.standardwebhooks.com)
// specifies, for which most languages have libraries. It has three headers:
//
//	webhook-id         the message: the same whenever it is sent again
//	webhook-timestamp  when it was sent, in Unix seconds
//	webhook-signature  v1,BASE64(HMAC-SHA256(key, id + "." + timestamp + "." + body))
//
// A receiver computes the signature of what it received, compares it in constant
// time, refuses a timestamp that is more than five minutes off, and skips an id that
// it has seen. The key is the bytes of the secret, or, for a secret that begins with
// whsec_, the bytes that the rest of it encodes in Base64. Without a secret there is
// no signature.
package webhook
