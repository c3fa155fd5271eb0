# Builds the program into an image that contains only that file. `docker build -t instant .`
FROM oven/bun:1.4.5-debian AS build
WORKDIR /source
COPY package.json bun.lock ./
COPY patches ./patches
RUN bun install --frozen-lockfile --production
COPY tsconfig.json ./
COPY scripts/binary ./scripts/binary
COPY src ./src
RUN bun --no-env-file scripts/binary/build.ts

FROM debian:12-slim
# The uid of the first user on most hosts, so that a .env with mode 0600 is readable.
RUN useradd --uid 1000 --user-group --no-create-home --shell /usr/sbin/nologin instant \
  && install --directory --owner=instant --group=instant --mode=0700 /data
COPY --from=build /source/instant /usr/local/bin/instant
ENV DATA_DIR=/data \
  AUTH_SERVICE_BIND=0.0.0.0 \
  EMAIL_SERVICE_BIND=0.0.0.0
USER instant
WORKDIR /data
VOLUME /data
EXPOSE 8080 8085
# Without a URL it checks whichever of the two services runs here.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
  CMD ["/usr/local/bin/instant", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/instant"]
CMD ["--help"]
