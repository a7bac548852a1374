package oauth

import (
	"net/url"
	"time"

	"github.com/postroom/postroom/post"
)

// A Provider is how one platform gives out tokens (PLATFORMS §2).
type Provider struct {
	AuthURL  string   // where people consent
	TokenURL string   // where a code, or a refresh token, becomes a token
	Scopes   []string // that a login asks for

	scopeSeparator string            // " " when empty
	pkce           pkce              // proof that who began the login ends it
	basic          bool              // the client's secret goes into the Authorization header
	clientKey      bool              // the client's id is called client_key
	params         map[string]string // beside the usual, of the consent page
	lifetime       time.Duration     // of a token, where the answer does not say
	long           *longLived        // nil but for Meta's
	pages          string            // where a user's token becomes that of a page; "" but for facebook
}

// pkce is the form of a code challenge (RFC 7636).
type pkce uint8

const (
	pkceNone pkce = iota // the platform does not know it
	pkceS256
	pkceHex // SHA-256 in hexadecimal, as TikTok wants it
)

// longLived is how Meta makes a token of an hour into one of 60 days, and that
// one into another.
type longLived struct {
	url, grant, param  string
	withID             bool   // the client's id goes along
	renewURL, renewing string // "" when a person must log in again
}

const days = 24 * time.Hour

var providers = map[post.Platform]Provider{
	// §2.1: 2 h; refresh tokens rotate and work once.
	"twitter": {
		AuthURL: "https://x.com/i/oauth2/authorize", TokenURL: "https://api.x.com/2/oauth2/token",
		Scopes: []string{"tweet.read", "tweet.write", "users.read", "media.write", "offline.access"},
		pkce:   pkceS256, basic: true, lifetime: 2 * time.Hour,
	},
	// §2.2: 60 days; a refresh token for approved partners only.
	"linkedin": {
		AuthURL: "https://www.linkedin.com/oauth/v2/authorization", TokenURL: "https://www.linkedin.com/oauth/v2/accessToken",
		Scopes: []string{"openid", "profile", "w_member_social"}, lifetime: 60 * days,
	},
	// §2.4: the token of a page, made of a user's long one, does not end.
	"facebook": {
		AuthURL: "https://www.facebook.com/v26.0/dialog/oauth", TokenURL: "https://graph.facebook.com/v26.0/oauth/access_token",
		Scopes:         []string{"pages_show_list", "pages_read_engagement", "pages_manage_posts"},
		scopeSeparator: ",",
		long:           &longLived{url: "https://graph.facebook.com/v26.0/oauth/access_token", grant: "fb_exchange_token", param: "fb_exchange_token", withID: true},
		pages:          "https://graph.facebook.com/v26.0/me/accounts?fields=id,name,access_token&limit=100",
	},
	// §2.5
	"instagram": {
		AuthURL: "https://www.instagram.com/oauth/authorize", TokenURL: "https://api.instagram.com/oauth/access_token",
		Scopes:         []string{"instagram_business_basic", "instagram_business_content_publish"},
		scopeSeparator: ",", lifetime: 60 * days,
		long: &longLived{url: "https://graph.instagram.com/access_token", grant: "ig_exchange_token", param: "access_token",
			renewURL: "https://graph.instagram.com/refresh_access_token", renewing: "ig_refresh_token"},
	},
	// §2.6
	"threads": {
		AuthURL: "https://threads.net/oauth/authorize", TokenURL: "https://graph.threads.net/oauth/access_token",
		Scopes:         []string{"threads_basic", "threads_content_publish", "threads_manage_replies"},
		scopeSeparator: ",", lifetime: 60 * days,
		long: &longLived{url: "https://graph.threads.net/access_token", grant: "th_exchange_token", param: "access_token",
			renewURL: "https://graph.threads.net/refresh_access_token", renewing: "th_refresh_token"},
	},
	// §2.7: 24 h; refresh tokens of 365 days rotate.
	"tiktok": {
		AuthURL: "https://www.tiktok.com/v2/auth/authorize/", TokenURL: "https://open.tiktokapis.com/v2/oauth/token/",
		Scopes: []string{"user.info.basic", "video.publish"}, scopeSeparator: ",",
		pkce: pkceHex, clientKey: true, lifetime: 24 * time.Hour,
	},
	// §2.8: 1 h; the refresh token stays, and comes only with these parameters.
	"youtube": {
		AuthURL: "https://accounts.google.com/o/oauth2/v2/auth", TokenURL: "https://oauth2.googleapis.com/token",
		Scopes: []string{"https://www.googleapis.com/auth/youtube.upload", "https://www.googleapis.com/auth/youtube.readonly"},
		pkce:   pkceS256, params: map[string]string{"access_type": "offline", "prompt": "consent"}, lifetime: time.Hour,
	},
	// §2.12: 30 days; refresh tokens of 60 days rotate.
	"pinterest": {
		AuthURL: "https://www.pinterest.com/oauth/", TokenURL: "https://api.pinterest.com/v5/oauth/token",
		Scopes: []string{"boards:read", "pins:read", "pins:write", "user_accounts:read"}, scopeSeparator: ",",
		basic: true, lifetime: 30 * days,
	},
}

// ProviderOf returns how a platform gives out tokens; false for one that people
// do not log in to.
func ProviderOf(p post.Platform) (Provider, bool) {
	found, ok := providers[p]
	return found, ok
}

// At returns the provider with all its addresses on another server, with scheme
// and host as in base: a sandbox, a proxy, or a test.
func (p Provider) At(base string) Provider {
	to, err := url.Parse(base)
	if err != nil || to.Host == "" {
		return p
	}
	moved := func(raw string) string {
		u, err := url.Parse(raw)
		if raw == "" || err != nil {
			return raw
		}
		u.Scheme, u.Host = to.Scheme, to.Host
		return u.String()
	}
	p.AuthURL, p.TokenURL, p.pages = moved(p.AuthURL), moved(p.TokenURL), moved(p.pages)
	if p.long != nil {
		long := *p.long
		long.url, long.renewURL = moved(long.url), moved(long.renewURL)
		p.long = &long
	}
	return p
}
