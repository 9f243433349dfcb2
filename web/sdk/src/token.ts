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
    const text = atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'));
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))) as Claims;
  } catch {
    return {};
  }
}
