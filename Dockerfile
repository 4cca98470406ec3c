# syntax=docker/dockerfile:1

# The binary, static, from source.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/bridge ./cmd/bridge
# Folders with their owner: scratch has no mkdir. The ledger needs one that is the
# user's own; SQLite and Go want /tmp.
RUN install -d -m 0700 -o 65532 -g 65532 /out/var/lib/bridge \
 && install -d -m 1777 /out/tmp \
 && install -d /out/etc/ssl/certs /out/etc/bridge \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && printf 'bridge:x:65532:65532:bridge:/var/lib/bridge:/bridge\n' > /out/etc/passwd \
 && printf 'bridge:x:65532:\n' > /out/etc/group

# Nothing but the binary and what it reads. Runs with a read-only root file system:
# only /var/lib/bridge is written to.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="bridge" \
      org.opencontainers.image.description="Keeps a ServiceNow desk and Microsoft Managed Desktop in step" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="scratch"
COPY --from=build /out/ /
USER 65532:65532
ENV BRIDGE_CONFIG=/etc/bridge/bridge.yaml
WORKDIR /var/lib/bridge
VOLUME /var/lib/bridge
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/bridge", "health"]
ENTRYPOINT ["/bridge"]
CMD ["run"]
