package post_test

import (
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/postroom/postroom/post"
)

var classes = []post.Class{
	post.ClassUnknown, post.ClassAuth, post.ClassRate, post.ClassInvalid,
	post.ClassLarge, post.ClassServer, post.ClassNetwork, post.ClassTimeout,
}

func TestP2OnlyWhatIsSurelyNotLiveMayBeSentAgain(t *testing.T) {
	t.Parallel()
	again := map[post.Sent][]post.Class{
		post.SentMaybe: nil,
		post.SentNot:   {post.ClassRate, post.ClassServer, post.ClassNetwork, post.ClassTimeout},
		post.Refused:   {post.ClassRate, post.ClassServer},
	}
	for sent, want := range again {
		for _, c := range classes {
			f := &post.Failure{Class: c, Sent: sent}
			if got := f.Retryable(); got != slices.Contains(want, c) {
				t.Errorf("%v, %v: retryable %v", c, sent, got)
			}
			if got := f.InDoubt(); got != (sent == post.SentMaybe) {
				t.Errorf("%v, %v: in doubt %v", c, sent, got)
			}
		}
	}
	if f := (&post.Failure{}); f.Retryable() || !f.InDoubt() {
		t.Error("a failure that says nothing must count as in doubt")
	}
}

func TestClassesHaveTheContractsCodes(t *testing.T) {
	t.Parallel()
	codes := []string{"UNKNOWN_ERROR", "PLATFORM_AUTH_EXPIRED", "RATE_LIMITED", "INVALID_CONTENT", "CONTENT_TOO_LARGE", "PLATFORM_SERVER_ERROR", "NETWORK_ERROR", "TIMEOUT_ERROR"}
	for i, c := range classes {
		if c.String() != codes[i] {
			t.Errorf("got %s, want %s", c, codes[i])
		}
	}
	if got := post.Class(99).String(); got != "UNKNOWN_ERROR" {
		t.Errorf("a class that is none: got %s", got)
	}
	for sent, want := range map[post.Sent]string{post.SentMaybe: "maybe", post.SentNot: "not sent", post.Refused: "refused"} {
		if sent.String() != want {
			t.Errorf("got %q, want %q", sent, want)
		}
	}
}

func TestFailureReadsAsCodeStatusAndMessage(t *testing.T) {
	t.Parallel()
	f := &post.Failure{Class: post.ClassRate, Status: 429, Message: "slow down", Err: io.EOF}
	if got, want := f.Error(), "RATE_LIMITED (HTTP 429): slow down"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(f, io.EOF) {
		t.Error("the cause is lost")
	}
	f.Status = 0
	if got, want := f.Error(), "RATE_LIMITED: slow down"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
