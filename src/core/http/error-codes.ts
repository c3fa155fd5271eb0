import type { ErrorRow } from "../errors.ts";

/**
 * What any HTTP request may meet, whatever the route. A body that is not JSON is 400, one of
 * another content type 415, JSON whose fields do not fit 422 with an `errors` list.
 */
export const httpErrors = {
  malformedRequest: {
    code: "malformed_request",
    meaning: "The request could not be read",
    retryable: false,
    status: 400,
  },
  malformedJson: {
    code: "malformed_json",
    meaning: "The body is not JSON in UTF-8",
    retryable: false,
    status: 400,
  },
  crossOrigin: {
    code: "cross_origin",
    meaning: "This request came from a page of another site",
    retryable: false,
    status: 403,
  },
  notFound: {
    code: "not_found",
    meaning: "There is nothing at this address",
    retryable: false,
    status: 404,
  },
  methodNotAllowed: {
    code: "method_not_allowed",
    meaning: "This address does not take this method",
    retryable: false,
    status: 405,
  },
  requestTimeout: {
    code: "request_timeout",
    meaning: "The body did not arrive in time",
    retryable: true,
    status: 408,
  },
  bodyTooLarge: {
    code: "body_too_large",
    meaning: "The body is too large",
    retryable: false,
    status: 413,
  },
  unsupportedMediaType: {
    code: "unsupported_media_type",
    meaning: "The body must be JSON",
    retryable: false,
    status: 415,
  },
  validationFailed: {
    code: "validation_failed",
    meaning: "A field of the body is not valid",
    retryable: false,
    status: 422,
  },
  internal: {
    code: "internal_error",
    meaning: "Something went wrong on our side",
    retryable: false,
    status: 500,
  },
  portInUse: {
    code: "port_in_use",
    meaning: "The port is taken by another program",
    retryable: false,
    status: 500,
  },
  listenFailed: {
    code: "listen_failed",
    meaning: "The address cannot be listened on",
    retryable: false,
    status: 500,
  },
} as const satisfies Record<string, ErrorRow>;
