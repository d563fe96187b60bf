# One image for gateway, monitoring agent and MLOps server: the same program with another command.
#
#     docker build -t outpost .
#     docker run --read-only -v outpost:/data -v ./packages:/packages:ro -p 80:9091 outpost serve --listen 0.0.0.0:9091 --models /packages
#
# The last stage holds what containers/root.sh lays out and nothing more; it runs as a user that is not root, and its root
# folder may be read-only. What is to stay is in /data.

FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY rust-toolchain.toml ./
RUN rustup target add wasm32-wasip2
COPY . .
RUN cargo build --release --locked -p outpost && containers/root.sh target/release/outpost /root-of-image

FROM scratch AS root
COPY --from=build /root-of-image /

FROM scratch
COPY --from=root / /
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 9091
ENTRYPOINT ["/outpost"]
CMD ["--help"]
