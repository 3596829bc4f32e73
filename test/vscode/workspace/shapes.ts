/** A point in the plane. */
export interface Point {
  x: number;
  y: number;
}

/** A circle by its centre and radius. */
export interface Circle {
  center: Point;
  radius: number;
}

/** The distance between two points. */
export function distance(a: Point, b: Point): number {
  return Math.sqrt((a.x - b.x) ** 2 + (a.y - b.y) ** 2);
}

/** The point halfway between two points. */
export function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}

/** The area of a circle. */
export function area(circle: Circle): number {
  return Math.PI * circle.radius ** 2;
}
