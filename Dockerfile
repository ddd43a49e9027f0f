# The gateway alone: one static program, no shell, an ordinary user. What it
# writes is below /data; the rest of the file system may be read-only.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -ldflags="-s -w" -o /out/omconnect ./cmd/omconnect
RUN mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/omconnect /usr/local/bin/omconnect
# A volume takes its owner from here.
COPY --from=build --chown=65532:65532 /out/data /data
ENV OMCONNECT_DATA=/data OMCONNECT_LISTEN=0.0.0.0:8083 OMCONNECT_TOKENS=auto
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8083
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s CMD ["omconnect", "health"]
ENTRYPOINT ["omconnect"]
CMD ["run"]
