# What there is to do here. `make` alone starts a post room to try.

GO          ?= go
ROOM        ?= room
FUZZTIME    ?= 30s
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2

# One static binary, with or without a C compiler. Only the race detector
# needs one.
export CGO_ENABLED := 0

# Tests are built without the profile that the program is optimised by: else all
# that cmd/postroom is made of is compiled a second time.
TEST = $(GO) test -pgo=off

.PHONY: run build test check fmt vet lint cross race fuzz sweep integration bench profile pgo clean

# Lays out ./room at the first time, with calendars in its inbox, and starts.
run: build
	@test -e $(ROOM)/postroom.yaml || bin/postroom init $(ROOM)
	@bin/postroom --room $(ROOM) run

build:
	@mkdir -p bin
	$(GO) build -trimpath -o bin/postroom ./cmd/postroom

test:
	$(GO) mod download
	$(TEST) -count=1 ./...

# What .ci/run does beside `make test`.
check: fmt vet lint cross race fuzz sweep

fmt:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }

vet:
	$(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

# Vetting compiles the tests too.
cross:
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...

race:
	@if command -v $${CC:-cc} >/dev/null 2>&1; then \
	  echo "CGO_ENABLED=1 $(TEST) -race -short ./..."; CGO_ENABLED=1 $(TEST) -race -short ./...; \
	else \
	  echo "race detector SKIPPED: it needs a C compiler (cc, or CC), and there is none"; \
	fi

# Every fuzz target there is, for FUZZTIME each.
fuzz:
	@grep -rHoE '^func Fuzz[A-Za-z0-9_]+' --include='*_test.go' . | sort -u | while IFS=: read -r file func; do \
	  echo "fuzz $$(dirname "$$file") $${func#func } for $(FUZZTIME)"; \
	  $(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" || exit 1; \
	done

# Kills the program, or fails its calls, at every call that changes the world.
sweep:
	POSTROOM_SWEEP=full $(TEST) -count=1 -v -timeout 60m -run Sweep ./internal/killat ./cmd/postroom

# Publishes from an inbox to real servers on this machine. The first time it installs
# them, into the user's cache; what cannot be installed is skipped with a line.
integration:
	POSTROOM_INTEGRATION=1 $(GO) test -count=1 -v -parallel 16 -timeout 60m ./internal/integration

# Ratios against yardsticks in the same run.
bench:
	$(GO) run ./internal/bench
	$(GO) test -run '^$$' -bench Calendar -benchtime 3x ./calendar

# CPU and heap profiles of each package's benchmarks, to look at with
# `go tool pprof`.
profile:
	@mkdir -p bin/profile
	@for dir in $$(grep -rlE '^func Benchmark' --include='*_test.go' . | xargs -n1 dirname | sort -u); do \
	  name=$$(echo "$${dir#./}" | tr / -); \
	  $(GO) test -run '^$$' -bench . -o bin/profile/$$name.test -cpuprofile bin/profile/$$name.cpu.prof -memprofile bin/profile/$$name.heap.prof "$$dir" || exit 1; \
	done
	@ls bin/profile/*.prof

# The profile that the compiler optimises the program by: of imports, of posts that go
# out and of those that come through the API. To be made anew when these change much.
pgo:
	@mkdir -p bin/profile
	POSTROOM_BENCH_ROWS=500000 $(TEST) -trimpath -run '^$$' -bench . -benchtime 4x -o bin/profile/room.test -cpuprofile bin/profile/room.pgo ./cmd/postroom
	$(TEST) -trimpath -run '^$$' -bench CreatePost -benchtime 150000x -o bin/profile/api.test -cpuprofile bin/profile/api.pgo ./api
	$(GO) tool pprof -proto -output cmd/postroom/default.pgo bin/profile/room.pgo bin/profile/api.pgo

# The room stays: it holds what was published, and your config.
clean:
	rm -rf bin
