// What the SDK reads from a token.  Nothing is verified: the server does that.
export interface Claims {
  sub?: string;
  dev?: string;
  /** seconds */
  exp?: number;
  iat?: number;
}

export function claims(token: string): Claims {
  try {
    // ids are ASCII; whatever else is in there is not looked at
    return JSON.parse(atob(token.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/'))) as Claims;
  } catch {
    return {};
  }
}
