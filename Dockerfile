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
# scratch has no mkdir: the folders come with their modes from here.
RUN install -d -m 0700 /out/lib/bridge \
 && install -d -m 1777 /out/root/tmp \
 && install -d /out/root/etc/ssl/certs /out/root/etc/bridge \
 && cp /etc/ssl/certs/ca-certificates.crt /out/root/etc/ssl/certs/ \
 && cp mappings.yaml /out/root/etc/bridge/ \
 && printf 'bridge:x:65532:65532:bridge:/var/lib/bridge:/bridge\n' > /out/root/etc/passwd \
 && printf 'bridge:x:65532:\n' > /out/root/etc/group \
 && mv /out/bridge /out/root/bridge

# Nothing but the binary and what it reads. Runs with a read-only root file system:
# only /var/lib/bridge is written to. bridge.yaml is mounted into /etc/bridge.
FROM scratch
ARG VERSION=dev
LABEL org.opencontainers.image.title="bridge" \
      org.opencontainers.image.description="Keeps a ServiceNow desk and Microsoft Managed Desktop in step" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.base.name="scratch"
COPY --from=build /out/root/ /
# The user owns the folder of the ledger: COPY gives to root what it is not told to give to another.
COPY --from=build --chown=65532:65532 /out/lib/ /var/lib/
USER 65532:65532
ENV BRIDGE_CONFIG=/etc/bridge/bridge.yaml
WORKDIR /var/lib/bridge
VOLUME /var/lib/bridge
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/bridge", "health"]
ENTRYPOINT ["/bridge"]
CMD ["run"]
